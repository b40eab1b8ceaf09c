/// One event loop's operations in flight, one per session: further requests for the same session wait for its result.
/// Keyed by the whole fingerprint, so that no two sessions can share one.
package struct SingleFlight<Waiter> {
    @usableFromInline var flights: [Fingerprint: [Waiter]]

    // Inlinable, so that it is specialised for the waiters of other modules.
    @inlinable
    package init() { flights = [:] }

    /// The number of operations in flight.
    package var count: Int { flights.count }

    /// Returns true if no operation is in flight for this session: the caller then sends one, and must make sure that
    /// `land` is called. Otherwise the waiter waits.
    @inlinable
    package mutating func board(_ fingerprint: Fingerprint, _ waiter: @autoclosure () -> Waiter) -> Bool {
        guard var waiting = flights.updateValue([], forKey: fingerprint) else { return true }
        waiting.append(waiter())
        flights[fingerprint] = waiting
        return false
    }

    /// The result has arrived. Returns the waiters, in the order in which they came; the sender of the operation is not
    /// among them.
    @inlinable
    package mutating func land(_ fingerprint: Fingerprint) -> [Waiter] {
        flights.removeValue(forKey: fingerprint) ?? []
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
