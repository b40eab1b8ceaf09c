/// Tells the store, after an outage or a loss, what was decided without it and what it may have lost.
extension SessionAffinity {
    /// Whether there is anything to offer to the store.
    package var hasOffers: Bool {
        !offers.isEmpty || offers.lineages.indices.contains { coherence.lineage(of: $0) != offers.lineages[$0] }
    }

    /// The next operation that tells the store what it does not know or may have lost, or asks about a write without a
    /// result: knowledge before guesses. Nil if there is none, or if the next one's primary is unavailable: that offer
    /// then waits behind the others. Its result goes to `storeAnsweredInBackground`. The caller limits the rate.
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
        if let question = nextQuestion(now, where: mayAsk) { return question }
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
    private func isExpired(_ write: OwnWrite, _ now: Instant) -> Bool {
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
                OwnWrite(fingerprint: fingerprint, binding: binding, createdAtSeconds: createdAtSeconds, at: now))
        }
        if entry?.kind == .guess { offers.add(operation.fingerprint, isGuess: true) }
    }

    /// The store has acknowledged a write. It is announced to the other replicas, and a broadcast write will be
    /// repeated if the store loses it.
    mutating func noteWritten(_ operation: StoreOperation, _ binding: Binding, _ now: Instant) {
        coherence.written.add(operation.fingerprint, now: now)
        guard operation.isBroadcast else { return }
        offers.note(
            OwnWrite(
                fingerprint: operation.fingerprint, binding: binding, createdAtSeconds: operation.createdAtSeconds,
                at: now))
    }

    /// The result of a request's operation, after that request has ended: what was written is announced all the same.
    package mutating func storeAnsweredEndedRequest(_ result: StoreResult, to operation: StoreOperation, now: Instant) {
        switch result {
        case .written: operation.written.map { noteWritten(operation, $0.binding, now) }
        case .unavailable(let failure): noteUnanswered(operation, failure, now)
        case .record, .readOnly, .absent, .foreign: break
        }
    }
}

/// Asks the store again about a session whose write had no result. The record that it then holds is announced, because
/// no other replica may know of it. A copy of the write that the store carries out later finds a record and changes
/// nothing, or is a move, which everyone hears.
extension SessionAffinity {
    /// No result of the operation arrived: the store may have carried it out, or may still do so.
    mutating func noteUnanswered(_ operation: StoreOperation, _ failure: StoreFailure, _ now: Instant) {
        switch failure {
        case .late, .lost: break
        case .away, .refused, .full: return
        }
        let binding: Binding
        switch operation {
        case .create(_, let backend, _, _): binding = Binding(backend: backend, epoch: 1)
        case .offer(_, let proposed, _, _), .restore(_, let proposed, _, _): binding = proposed
        // Moving it is for a request to decide.
        case .rebind(_, let from, _, _, _): binding = from
        // Nobody has to know a session that was dropped.
        case .drop, .touch, .read: return
        }
        let isKept = offers.unanswered.add(
            OwnWrite(
                fingerprint: operation.fingerprint, binding: binding, createdAtSeconds: operation.createdAtSeconds,
                at: now))
        if !isKept { leaveOut(operation.fingerprint, now) }
    }

    private func leaveOut(_ fingerprint: Fingerprint, _ now: Instant) {
        coherence.written.leaveOut(primary: coherence.primaries.primary(of: fingerprint), now: now)
    }

    /// The next question about a write without a result.
    private mutating func nextQuestion(_ now: Instant, where mayAsk: (Fingerprint) -> Bool) -> StoreOperation? {
        while let write = offers.unanswered.next() {
            guard !isExpired(write, now) else { continue }
            guard mayAsk(write.fingerprint) else {
                _ = offers.unanswered.askAgain(write)
                return nil
            }
            let entry = cache.peek(write.fingerprint, now: now)
            if let entry, isAnswer(entry, to: write) {
                coherence.written.add(write.fingerprint, now: now)
                continue
            }
            let question = offer(known(of: write, entry), of: write.fingerprint, now)
            offers.unanswered.ask(question, about: write)
            return question
        }
        return nil
    }

    /// Whether the store has told this replica of a record since the write was given up.
    private func isAnswer(_ entry: BindingCache.Entry, to write: OwnWrite) -> Bool {
        entry.kind == .confirmed && !entry.isStandby && entry.confirmedAt >= write.at
    }

    /// The best binding known by now. A guess that was made since is where the session's requests go.
    private func known(of write: OwnWrite, _ entry: BindingCache.Entry?) -> KnownBinding {
        let own = KnownBinding(read: write.binding, createdAtSeconds: write.createdAtSeconds)
        guard let known = KnownBinding(entry: entry, hint: nil) else { return own }
        let isBetter =
            known.isGuess ? usable(known.binding.backend) != nil : known.binding.epoch >= own.binding.epoch
        return isBetter ? known : own
    }

    /// What became of a question about a write without a result. Returns false if the operation asked for something
    /// else.
    mutating func noteAnswer(_ result: StoreResult, to operation: StoreOperation, _ now: Instant) -> Bool {
        guard let write = offers.unanswered.answered(operation) else { return false }
        switch result {
        case .record: coherence.written.add(operation.fingerprint, now: now)
        case .written, .absent, .foreign: break
        case .readOnly, .unavailable:
            if !offers.unanswered.askAgain(write) { leaveOut(operation.fingerprint, now) }
        }
        return true
    }
}
