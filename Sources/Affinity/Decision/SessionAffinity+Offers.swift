/// Tells the store, after an outage or a loss, what was decided without it and what it may have lost.
extension SessionAffinity {
    /// Whether there is anything to offer to the store.
    package var hasOffers: Bool {
        !offers.isEmpty || offers.lineages.indices.contains { coherence.lineage(of: $0) != offers.lineages[$0] }
    }

    /// The next operation that tells the store what it does not know or may have lost, knowledge before guesses. Nil if
    /// there is none, or if the next one's primary is unavailable: that offer then waits behind the others. Its result
    /// goes to `storeAnsweredInBackground`. The caller limits the rate.
    ///
    /// - Parameter mayAsk: whether an operation on this session may be sent now.
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
        // What other replicas know comes first.
        guard !coherence.isRefilling else { return nil }
        while let fingerprint = offers.nextGuess() {
            guard let operation = pendingOffer(fingerprint, .guess, now) else { continue }
            return tellable(operation, isGuess: true, where: mayAsk)
        }
        return nil
    }

    /// The offer, if it may be sent now; else it is queued behind the others.
    private mutating func tellable(
        _ operation: StoreOperation, isGuess: Bool, where mayAsk: (Fingerprint) -> Bool
    ) -> StoreOperation? {
        guard !mayAsk(operation.fingerprint) else { return operation }
        offers.add(operation.fingerprint, isGuess: isGuess)
        return nil
    }

    /// The offer of an entry that the store still does not know. Nil for a guess whose backend is not usable.
    private func pendingOffer(
        _ fingerprint: Fingerprint, _ kind: BindingCache.Kind, _ now: Instant
    ) -> StoreOperation? {
        guard let entry = cache.peek(fingerprint, now: now), entry.kind == kind else { return nil }
        if kind == .guess, usable(entry.binding.backend) == nil { return nil }
        return KnownBinding(entry: entry, hint: nil).map { offer($0, of: fingerprint, now) }
    }

    /// Whether the session may have ended since the write: its key may then belong to another session by now.
    private func isExpired(_ write: Offers.Written, _ now: Instant) -> Bool {
        now >= write.at.advanced(byMilliseconds: settings.recordLifetimeMilliseconds)
            || isExpired(createdAtSeconds: write.createdAtSeconds, now)
    }

    /// Queues an offer without a result to be made again: one decided without the store for as long as it is
    /// remembered, an own write unless a better binding is known by now.
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

    /// The store has acknowledged a write. It is announced to the other replicas, and a broadcast write will be
    /// repeated if the store loses it.
    mutating func noteWritten(_ operation: StoreOperation, _ binding: Binding, _ now: Instant) {
        coherence.written.add(operation.fingerprint, now: now)
        guard operation.isBroadcast else { return }
        offers.note(
            Offers.Written(
                fingerprint: operation.fingerprint, binding: binding, createdAtSeconds: operation.createdAtSeconds,
                at: now))
    }

    /// No result of the operation arrived. The store may have carried it out, or may still do so: then the other
    /// replicas have to hear of it, although this one will find the record like one that another has written.
    func noteUnsure(_ operation: StoreOperation, _ failure: StoreFailure, _ now: Instant) {
        switch failure {
        case .late, .lost: break
        case .away, .refused, .full: return
        }
        guard operation.isWrite else { return }
        coherence.written.addUnsure(operation.fingerprint, now: now)
    }

    /// The result of a request's operation, after that request has ended: what was written is announced all the same.
    package mutating func storeAnsweredEndedRequest(_ result: StoreResult, to operation: StoreOperation, now: Instant) {
        switch result {
        case .written: operation.written.map { noteWritten(operation, $0.binding, now) }
        case .unavailable(let failure): noteUnsure(operation, failure, now)
        case .record, .readOnly, .absent, .foreign: break
        }
    }
}
