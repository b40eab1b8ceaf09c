package import Affinity

/// The store of bindings that replicas share, as one event loop sees it. Confined to that loop.
///
/// Never throws: an unavailable, late or full store is reported as a result.
package protocol BindingStore: AnyObject {
    /// Whether an operation of a request on this session would be sent now. False while the server that holds its
    /// record is not connected, or its circuit breaker does not admit it; a request then decides without the store,
    /// immediately.
    func isAvailable(for fingerprint: Fingerprint) -> Bool

    /// Sends an operation. `waiter` receives exactly one result, on the loop, never from within this call, and within
    /// the budget (`commandTimeout`).
    func send(_ operation: StoreOperation, for waiter: any StoreWaiter)
}

/// Receives the result of an operation.
package protocol StoreWaiter: AnyObject {
    /// Whether no request waits for its results: they are not counted, and a late one does not open the breaker.
    var isBackground: Bool { get }
    /// Whether the store counts its operations and measures their results.
    var isCounted: Bool { get }

    /// - Parameters:
    ///   - result: the store's result, or why there is none.
    ///   - operation: the operation, as passed to `send`.
    ///   - stamp: when the operation was sent, and whether to the server that the coherence channel hears.
    func storeAnswered(_ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp)
}

extension StoreWaiter {
    package var isBackground: Bool { false }
    package var isCounted: Bool { !isBackground }
}
