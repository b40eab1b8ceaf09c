/// Questions of one event loop that are under way, one a session: whoever comes to the store for the same session
/// meanwhile waits for that answer. Keyed by the whole fingerprint, so that no two sessions can share one.
package struct SingleFlight<Waiter> {
    private var flights: [Fingerprint: [Waiter]] = [:]

    package init() {}

    /// Questions under way.
    package var count: Int { flights.count }

    /// Whether nobody has asked for this session: then the caller asks, and must see to it that `land` is called. Else
    /// the waiter waits.
    package mutating func board(_ fingerprint: Fingerprint, _ waiter: @autoclosure () -> Waiter) -> Bool {
        guard flights[fingerprint] != nil else {
            flights[fingerprint] = []
            return true
        }
        flights[fingerprint]?.append(waiter())
        return false
    }

    /// The answer is there. Returns those who waited, in the order in which they came, beside the one who asked.
    package mutating func land(_ fingerprint: Fingerprint) -> [Waiter] {
        flights.removeValue(forKey: fingerprint) ?? []
    }
}

extension StoreResult {
    /// What the answer to a question says to those who waited for it without having asked: what one wrote, the others
    /// find.
    package func forWaiters(than operation: StoreOperation) -> StoreResult {
        guard case .written = self, let proposal = operation.proposal else { return self }
        return .record(
            proposal, remainingMilliseconds: operation.lifetimeMilliseconds,
            createdAtSeconds: operation.createdAtSeconds)
    }
}
