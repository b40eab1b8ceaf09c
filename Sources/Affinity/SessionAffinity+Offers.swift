/// Telling the store, after an outage or a loss, what was decided without it and what it may have lost.
extension SessionAffinity {
    /// Whether there is something to tell the store.
    package var hasOffers: Bool { !offers.isEmpty || coherence.lineage != offers.lineage }

    /// The next question that tells the store what it has not heard or may have lost, knowledge before guesses; nil when
    /// there is none. Its answer goes to `answeredAside`. The caller limits their rate.
    package mutating func nextOffer(now: Instant) -> StoreQuestion? {
        offers.observe(lineage: coherence.lineage, now: now)
        if let write = offers.nextRepeat() {
            let term = term(born: write.born, now)
            return .restore(write.fingerprint, write.binding, lifetime: term.lifetime, born: term.born)
        }
        while let fingerprint = offers.nextMove() {
            if let question = unheardOf(fingerprint, .dirty, now) { return question }
        }
        while let fingerprint = offers.nextGuess() {
            if let question = unheardOf(fingerprint, .guess, now) { return question }
        }
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

    /// An offer that got no answer is made again later.
    mutating func offerAgain(_ question: StoreQuestion, _ now: Instant) {
        guard let entry = cache.peek(question.fingerprint, now: now) else { return }
        switch entry.kind {
        case .dirty: offers.add(question.fingerprint, isGuess: false)
        case .guess: offers.add(question.fingerprint, isGuess: true)
        case .confirmed:
            guard question.isBroadcast, question.proposal == entry.binding else { return }
            offers.repeatLater(
                Offers.Written(
                    fingerprint: question.fingerprint, binding: entry.binding, born: entry.born, at: now))
        }
    }

    /// The store has acknowledged a write. What is broadcast is repeated, should the store lose it.
    mutating func noteWritten(_ question: StoreQuestion, _ binding: Binding, _ now: Instant) {
        guard question.isBroadcast else { return }
        offers.note(
            Offers.Written(fingerprint: question.fingerprint, binding: binding, born: question.born, at: now))
    }
}
