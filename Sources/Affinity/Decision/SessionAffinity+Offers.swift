/// Telling the store, after an outage or a loss, what was decided without it and what it may have lost.
extension SessionAffinity {
    /// Whether there is something to tell the store.
    package var hasOffers: Bool {
        !offers.isEmpty || offers.lineages.indices.contains { coherence.lineage(of: $0) != offers.lineages[$0] }
    }

    /// The next question that tells the store what it has not heard or may have lost, knowledge first; nil when
    /// there is none, or the next one's primary may not be asked: that one then waits behind the others. Its answer
    /// goes to `answeredAside`. The caller limits their rate.
    ///
    /// - Parameter mayAsk: whether the store may be asked about this session now.
    package mutating func nextOffer(now: Instant, where mayAsk: (Fingerprint) -> Bool) -> StoreQuestion? {
        for primary in offers.lineages.indices {
            offers.observe(
                lineage: coherence.lineage(of: primary), of: primary, coherence.primaries, now: now)
        }
        while let write = offers.nextRepeat() {
            guard !isOver(write, now) else { continue }
            guard mayAsk(write.fingerprint) else {
                offers.repeatLater(write)
                return nil
            }
            let term = term(born: write.born, now)
            return .restore(write.fingerprint, write.binding, lifetime: term.lifetime, born: term.born)
        }
        while let fingerprint = offers.nextMove() {
            guard let question = unheardOf(fingerprint, .dirty, now) else { continue }
            return tellable(question, isGuess: false, where: mayAsk)
        }
        while let fingerprint = offers.nextGuess() {
            guard let question = unheardOf(fingerprint, .guess, now) else { continue }
            return tellable(question, isGuess: true, where: mayAsk)
        }
        return nil
    }

    /// The offer, where it may be made now; else it waits behind the others.
    private mutating func tellable(
        _ question: StoreQuestion, isGuess: Bool, where mayAsk: (Fingerprint) -> Bool
    ) -> StoreQuestion? {
        guard !mayAsk(question.fingerprint) else { return question }
        offers.add(question.fingerprint, isGuess: isGuess)
        return nil
    }

    /// The offer of an entry that the store has still not heard of. A guess that cannot serve is none.
    private func unheardOf(
        _ fingerprint: Fingerprint, _ kind: BindingCache.Kind, _ now: Instant
    ) -> StoreQuestion? {
        guard let entry = cache.peek(fingerprint, now: now), entry.kind == kind else { return nil }
        if kind == .guess, usable(entry.binding.backend) == nil { return nil }
        return Knowledge(entry: entry, hint: nil).map { offer($0, of: fingerprint, now) }
    }

    /// Whether the session may have ended since: then its key may stand for another by now.
    private func isOver(_ write: Offers.Written, _ now: Instant) -> Bool {
        now >= write.at.advanced(byMilliseconds: settings.recordLifetime) || isOver(born: write.born, now)
    }

    /// An offer that got no answer is made again later: of what was decided without the store as long as it is
    /// remembered, of an own write unless more is known by now.
    mutating func offerAgain(_ question: StoreQuestion, _ now: Instant) {
        let entry = cache.peek(question.fingerprint, now: now)
        if entry?.kind == .dirty { return offers.add(question.fingerprint, isGuess: false) }
        if case .restore(let fingerprint, let binding, _, let born) = question {
            let isKnownBetter = entry.map { $0.binding.epoch >= binding.epoch && $0.binding != binding } ?? false
            if isKnownBetter { return }
            return offers.repeatLater(Offers.Written(fingerprint: fingerprint, binding: binding, born: born, at: now))
        }
        if entry?.kind == .guess { offers.add(question.fingerprint, isGuess: true) }
    }

    /// The store has acknowledged a write. What is broadcast is repeated, should the store lose it.
    mutating func noteWritten(_ question: StoreQuestion, _ binding: Binding, _ now: Instant) {
        guard question.isBroadcast else { return }
        offers.note(
            Offers.Written(fingerprint: question.fingerprint, binding: binding, born: question.born, at: now))
    }
}
