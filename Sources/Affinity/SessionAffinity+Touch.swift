/// Keeping records alive: touches go beside the requests, which do not wait for them.
extension SessionAffinity {
    /// The touch that is due for a binding the store has confirmed, or nil.
    ///
    /// The first is due when less than 3/4 of the lifetime remains. While it has no answer, each further one waits for
    /// another fifth of the lifetime to pass, so that there are at most four in a lifetime, whatever becomes of them.
    func dueTouch(_ fingerprint: Fingerprint, _ entry: BindingCache.Entry, _ now: Instant) -> StoreQuestion? {
        guard entry.kind == .confirmed else { return nil }
        let remaining = entry.expiresAt.milliseconds(since: now)
        // Twentieths of the lifetime below which touches 1, 2, 3 and 4 are due: 15, 11, 7, 3.
        let lifetime = settings.recordLifetime
        guard entry.touches < 4, remaining * 20 < lifetime * (15 - 4 * Int64(entry.touches)) else { return nil }
        var number = entry.touches + 1
        while number < 4, remaining * 20 < lifetime * (15 - 4 * Int64(number)) { number += 1 }
        guard cache.claimTouch(fingerprint, number: number, now: now) else { return nil }
        return .touch(fingerprint, lifetime: lifetime)
    }

    /// What to ask next, the store having answered a touch, or the question that an earlier touch led to: it has lost
    /// the binding, or holds an older one. Its answer comes here too, and leads to no more.
    package func touchAnswered(
        _ fingerprint: Fingerprint, _ answer: StoreAnswer, to question: StoreQuestion, asked: Instant, now: Instant
    ) -> StoreQuestion? {
        switch answer {
        case .written:
            guard let written = question.proposal else { return nil }
            confirm(written, of: fingerprint, asked: asked, remaining: settings.recordLifetime, now)
            return nil
        case .record(let record, let remaining):
            return touchFound(record, remaining, fingerprint, question, asked: asked, now)
        case .absent, .foreign:
            guard question.isTouch, let known = confirmed(fingerprint, now) else { return nil }
            return known.epoch == 1 && answer == .absent
                ? .create(fingerprint, known.backend, lifetime: settings.recordLifetime)
                : .restore(fingerprint, known, lifetime: settings.recordLifetime)
        case .unavailable:
            return nil
        }
    }

    private func touchFound(
        _ record: Binding, _ remaining: Int64, _ fingerprint: Fingerprint, _ question: StoreQuestion, asked: Instant,
        _ now: Instant
    ) -> StoreQuestion? {
        if question.isTouch {
            if let mine = unheard(by: record, fingerprint, now) {
                return .rebind(fingerprint, from: record, to: mine, lifetime: settings.recordLifetime)
            }
            if let known = confirmed(fingerprint, now), known.epoch > record.epoch {
                return .restore(fingerprint, known, lifetime: settings.recordLifetime)
            }
        }
        confirm(record, of: fingerprint, asked: asked, remaining: remaining, now)
        return nil
    }

    /// What the store once confirmed, and whose lifetime is not over.
    private func confirmed(_ fingerprint: Fingerprint, _ now: Instant) -> Binding? {
        guard let entry = cache.peek(fingerprint, now: now), entry.kind == .confirmed, !entry.binding.isTombstone else {
            return nil
        }
        return entry.binding
    }
}
