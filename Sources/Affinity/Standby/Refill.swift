/// Offers a store that may have lost data what this replica knows that the store had confirmed to anybody. Needs no
/// service: value and lifetime are enough.
///
/// After the loss of all data each session has one replica that offers it first; then the store is scanned, and
/// whatever it still does not hold is offered by everyone who knows it. An offer is silent and overrides nothing.
struct Refill: Sendable {
    enum Phase: Sendable {
        case none
        /// This replica's share of the sessions. → scan
        case share
        /// The store is being scanned for what it holds. → rest
        case scan
        /// What the scan did not meet. → none
        case rest
    }

    /// What the store may have lost.
    enum Loss: Sendable {
        /// All data: the era is another.
        case everything
        /// Some: another server, or its data from an earlier time.
        case something
        /// Anything that was confirmed before this replica heard its first era.
        case unknown
    }

    private static let batchSize = 100
    /// Sets of the cache that one call visits at most.
    private static let setsMax = 2000

    /// How long what is restored lives at least: as long as anybody's entry of the session. Restoring is broadcast, and
    /// entries that take a heard binding keep their lifetimes.
    var restoredLifetimeMilliseconds: Int64
    private(set) var phase = Phase.none
    /// Whether the store refused a write, so that the last refill ended too soon.
    private(set) var isCut = false
    private var loss = Loss.unknown
    /// Offers sent.
    private(set) var offers: UInt64 = 0
    /// Whether any of them was written, or may have been: the others have not heard of it.
    private var hasWritten = false
    /// Whether an offer had no result after a refused write had ended the refill: the store may still carry it out.
    private var hasUnanswered = false
    private var position: BindingCache.Position?
    private var queue: [Fingerprint] = []
    private var inFlight = 0

    init(restoredLifetimeMilliseconds: Int64) {
        self.restoredLifetimeMilliseconds = restoredLifetimeMilliseconds
    }

    /// Begins, or begins anew.
    mutating func begin(after loss: Loss) {
        self.loss = loss
        isCut = false
        // This refill offers it again, and the others are told afterwards that something was left out.
        hasWritten = hasWritten || hasUnanswered
        hasUnanswered = false
        phase =
            switch loss {
            case .everything: .share
            case .something: .scan
            case .unknown: .rest
            }
        position = BindingCache.Position()
        queue = []
    }

    /// Begins anew what a refused write has ended: the store may have been full for a moment only.
    mutating func resume() {
        begin(after: loss)
    }

    /// Whether a refill that has ended wrote anything. Says so once.
    mutating func takeWritten() -> Bool {
        guard case .none = phase, hasWritten else { return false }
        hasWritten = false
        return true
    }

    /// The store was scanned, or cannot be.
    mutating func scanEnded() {
        guard case .scan = phase else { return }
        phase = .rest
        position = BindingCache.Position()
    }

    /// What to offer now.
    /// - Parameters:
    ///   - pace: of all offers of this replica.
    ///   - lineageBegan: entries confirmed since then are in the store.
    ///   - isWanted: whether this primary holds the session's record.
    ///   - isShare: whether the session belongs to this replica's share.
    mutating func due(
        _ cache: BindingCache, _ pace: OfferThrottle, lineageBegan: Instant, now: Instant,
        isWanted: (Fingerprint) -> Bool,
        isShare: (Fingerprint) -> Bool
    ) -> [StoreOperation] {
        let isSharing: Bool
        switch phase {
        case .none, .scan: return []
        case .share: isSharing = true
        case .rest: isSharing = false
        }
        guard inFlight == 0 else { return [] }
        if queue.isEmpty {
            queue = cache.unconfirmed(from: &position, sets: Self.setsMax, before: lineageBegan, now: now).filter {
                isWanted($0) && (!isSharing || isShare($0))
            }
        }
        let taken = pace.take(min(queue.count, Self.batchSize), now: now)
        let batch = queue.suffix(taken)
        queue.removeLast(taken)
        let operations = batch.compactMap { offer($0, cache, lineageBegan: lineageBegan, now: now) }
        pace.giveBack(taken - operations.count)
        if queue.isEmpty, position == nil, operations.isEmpty { phase = isSharing ? .scan : .none }
        inFlight = operations.count
        offers &+= UInt64(operations.count)
        return operations
    }

    /// The operation to send after the result of one, for the same session. Nil: the offer has ended.
    mutating func answered(
        _ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp, _ cache: BindingCache,
        lineageBegan: Instant, now: Instant
    ) -> StoreOperation? {
        let fingerprint = operation.fingerprint
        var next: StoreOperation?
        switch result {
        case .written:
            hasWritten = true
            if let record = operation.written {
                learn(record, of: fingerprint, stamp, cache, lineageBegan: lineageBegan, now)
            }
        case .record(let record):
            next = amend(record, of: fingerprint, after: operation, cache, lineageBegan: lineageBegan, now: now)
            if next == nil { learn(record, of: fingerprint, stamp, cache, lineageBegan: lineageBegan, now) }
        case .foreign:
            next = operation.overForeign
        case .absent:
            break
        case .readOnly, .unavailable(.refused):
            if case .none = phase { break }
            phase = .none
            isCut = true
        case .unavailable:
            if case .none = phase {
                hasUnanswered = true
                break
            }
            hasWritten = true
            queue.insert(fingerprint, at: 0)
        }
        if next == nil { inFlight = max(0, inFlight - 1) }
        return next
    }

    private func learn(
        _ record: StoredRecord, of fingerprint: Fingerprint, _ stamp: OperationStamp, _ cache: BindingCache,
        lineageBegan: Instant, _ now: Instant
    ) {
        guard stamp.isFromChannelServer else { return }
        cache.applyRead(record, of: fingerprint, sentAt: stamp.sentAt, lineageBegan: lineageBegan, now: now)
    }

    private func offer(
        _ fingerprint: Fingerprint, _ cache: BindingCache, lineageBegan: Instant, now: Instant
    ) -> StoreOperation? {
        guard let (entry, lifetimeMilliseconds) = known(fingerprint, cache, lineageBegan: lineageBegan, now: now) else {
            return nil
        }
        return .offer(
            fingerprint, entry.binding, lifetimeMilliseconds: lifetimeMilliseconds,
            createdAtSeconds: entry.createdAtSeconds)
    }

    /// What the store still has to learn, if it holds less than is known here: a lower epoch, or the same binding with
    /// less than 3/4 of its life.
    private func amend(
        _ record: StoredRecord, of fingerprint: Fingerprint, after operation: StoreOperation, _ cache: BindingCache,
        lineageBegan: Instant, now: Instant
    ) -> StoreOperation? {
        guard !operation.isTouch,
            let (entry, lifetimeMilliseconds) = known(fingerprint, cache, lineageBegan: lineageBegan, now: now)
        else { return nil }
        // An entry of a session that ends by age becomes suspect when it takes a heard binding. Others keep their
        // lifetimes; and replicas that touch at once must not shorten what another has touched.
        let amendedMilliseconds =
            entry.createdAtSeconds != nil
            ? lifetimeMilliseconds : max(lifetimeMilliseconds, restoredLifetimeMilliseconds)
        if record.binding.epoch < entry.binding.epoch {
            return .restore(
                fingerprint, entry.binding, lifetimeMilliseconds: amendedMilliseconds,
                createdAtSeconds: entry.createdAtSeconds)
        }
        guard record.binding == entry.binding, record.remainingMilliseconds < lifetimeMilliseconds / 4 * 3 else {
            return nil
        }
        return .touch(fingerprint, lifetimeMilliseconds: amendedMilliseconds)
    }

    private func known(
        _ fingerprint: Fingerprint, _ cache: BindingCache, lineageBegan: Instant, now: Instant
    ) -> (BindingCache.Entry, lifetimeMilliseconds: Int64)? {
        guard let entry = cache.peek(fingerprint, now: now), entry.kind == .confirmed, entry.confirmedAt < lineageBegan
        else { return nil }
        let lifetimeMilliseconds = entry.expiresAt.milliseconds(since: now)
        return lifetimeMilliseconds > 0 ? (entry, lifetimeMilliseconds) : nil
    }
}
