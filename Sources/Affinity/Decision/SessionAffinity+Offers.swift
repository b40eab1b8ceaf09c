/// Telling the store, after an outage or a loss, what was decided without it and what it may have lost.
extension SessionAffinity {
    /// Whether there is something to tell the store.
    package var hasOffers: Bool {
        !offers.isEmpty || offers.lineages.indices.contains { coherence.lineage(of: $0) != offers.lineages[$0] }
    }

    /// The next question that tells the store what it has not heard or may have lost, knowledge first; nil when
    /// there is none, or the next one's primary may not be asked: that one then waits behind the others. Its answer
    /// goes to `storeAnsweredInBackground`. The caller limits their rate.
    ///
    /// - Parameter mayAsk: whether the store may be asked about this session now.
    package mutating func nextOffer(now: Instant, where mayAsk: (Fingerprint) -> Bool) -> StoreOperation? {
        for primary in offers.lineages.indices {
            offers.observe(
                lineage: coherence.lineage(of: primary), of: primary, coherence.primaries, now: now)
        }
        while let write = offers.nextRepeat() {
            guard !isExpired(write, now) else { continue }
            guard mayAsk(write.fingerprint) else {
                offers.repeatLater(write)
                return nil
            }
            let expiry = expiry(createdAtSeconds: write.createdAtSeconds, now)
            return .restore(
                write.fingerprint, write.binding, lifetimeMilliseconds: expiry.lifetimeMilliseconds,
                createdAtSeconds: expiry.createdAtSeconds)
        }
        while let fingerprint = offers.nextMove() {
            guard let operation = pendingOffer(fingerprint, .dirty, now) else { continue }
            return tellable(operation, isGuess: false, where: mayAsk)
        }
        while let fingerprint = offers.nextGuess() {
            guard let operation = pendingOffer(fingerprint, .guess, now) else { continue }
            return tellable(operation, isGuess: true, where: mayAsk)
        }
        return nil
    }

    /// The offer, where it may be made now; else it waits behind the others.
    private mutating func tellable(
        _ operation: StoreOperation, isGuess: Bool, where mayAsk: (Fingerprint) -> Bool
    ) -> StoreOperation? {
        guard !mayAsk(operation.fingerprint) else { return operation }
        offers.add(operation.fingerprint, isGuess: isGuess)
        return nil
    }

    /// The offer of an entry that the store has still not heard of. A guess that cannot serve is none.
    private func pendingOffer(
        _ fingerprint: Fingerprint, _ kind: BindingCache.Kind, _ now: Instant
    ) -> StoreOperation? {
        guard let entry = cache.peek(fingerprint, now: now), entry.kind == kind else { return nil }
        if kind == .guess, usable(entry.binding.backend) == nil { return nil }
        return Knowledge(entry: entry, hint: nil).map { offer($0, of: fingerprint, now) }
    }

    /// Whether the session may have ended since: then its key may stand for another by now.
    private func isExpired(_ write: Offers.Written, _ now: Instant) -> Bool {
        now >= write.at.advanced(byMilliseconds: settings.recordLifetimeMilliseconds)
            || isExpired(createdAtSeconds: write.createdAtSeconds, now)
    }

    /// An offer that got no answer is made again later: of what was decided without the store as long as it is
    /// remembered, of an own write unless more is known by now.
    mutating func offerAgain(_ operation: StoreOperation, _ now: Instant) {
        let entry = cache.peek(operation.fingerprint, now: now)
        if entry?.kind == .dirty { return offers.add(operation.fingerprint, isGuess: false) }
        if case .restore(let fingerprint, let binding, _, let createdAtSeconds) = operation {
            let isKnownBetter = entry.map { $0.binding.epoch >= binding.epoch && $0.binding != binding } ?? false
            if isKnownBetter { return }
            return offers.repeatLater(
                Offers.Written(fingerprint: fingerprint, binding: binding, createdAtSeconds: createdAtSeconds, at: now))
        }
        if entry?.kind == .guess { offers.add(operation.fingerprint, isGuess: true) }
    }

    /// The store has acknowledged a write. What is broadcast is repeated, should the store lose it.
    mutating func noteWritten(_ operation: StoreOperation, _ binding: Binding, _ now: Instant) {
        guard operation.isBroadcast else { return }
        offers.note(
            Offers.Written(
                fingerprint: operation.fingerprint, binding: binding, createdAtSeconds: operation.createdAtSeconds,
                at: now))
    }
}
