/// One event loop's operations in flight, one per session: further requests for the same session wait for its result.
/// Keyed by the whole fingerprint, so that no two sessions can share one.
package struct SingleFlight<Waiter> {
    // Most operations have no waiters, and a set of fingerprints is not generic: that is fast in every module.
    private var inFlight: Set<Fingerprint> = []
    private var waiters: [Fingerprint: [Waiter]] = [:]

    package init() {}

    /// The number of operations in flight.
    package var count: Int { inFlight.count }

    /// Returns true if no operation is in flight for this session: the caller then sends one, and must make sure that
    /// `land` is called. Otherwise the waiter waits.
    package mutating func board(_ fingerprint: Fingerprint, _ waiter: @autoclosure () -> Waiter) -> Bool {
        if inFlight.insert(fingerprint).inserted { return true }
        waiters[fingerprint, default: []].append(waiter())
        return false
    }

    /// The result has arrived. Returns the waiters, in the order in which they came; the sender of the operation is not
    /// among them.
    package mutating func land(_ fingerprint: Fingerprint) -> [Waiter] {
        inFlight.remove(fingerprint)
        return waiters.isEmpty ? [] : waiters.removeValue(forKey: fingerprint) ?? []
    }
}

extension StoreResult {
    /// The result for those that waited for an operation without sending it: what the sender wrote, they find as a
    /// record.
    package func forWaiters(than operation: StoreOperation) -> StoreResult {
        guard case .written = self, let proposal = operation.intendedBinding else { return self }
        return .record(
            proposal, remainingMilliseconds: operation.lifetimeMilliseconds,
            createdAtSeconds: operation.createdAtSeconds)
    }
}
