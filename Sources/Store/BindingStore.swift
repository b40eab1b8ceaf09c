package import Affinity

/// The memory that replicas share, as one event loop sees it. Confined to that loop.
///
/// It cannot throw: that the store is away, late or full is an answer.
package protocol BindingStore: AnyObject {
    /// Whether a question about this session would be sent now. False while there is no connection to the server that
    /// holds its record, or that server's breaker is open; a request then decides without the store, at once.
    func isAvailable(for fingerprint: Fingerprint) -> Bool

    /// Asks. `waiter` is told exactly once, on the loop, never from within this call, and at the latest when the
    /// budget (`commandTimeout`) has passed.
    func send(_ operation: StoreOperation, for waiter: any StoreWaiter)
}

/// Who waits for an answer of the store.
package protocol StoreWaiter: AnyObject {
    /// - Parameters:
    ///   - answer: what the store said, or why it did not.
    ///   - question: the question as asked.
    ///   - asked: how it was put to the store.
    func storeAnswered(_ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp)
}
