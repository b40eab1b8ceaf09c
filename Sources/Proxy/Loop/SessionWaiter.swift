import Affinity
import Store

/// A request that waits for the store. Only one of the concurrent requests of a session sends an operation; the others
/// receive what its result means for them.
protocol SessionWaiter: StoreWaiter {
    /// The store returned the result of an operation that another request of the same session sent.
    func proceed(by answer: StoreResult, to operation: StoreOperation, stamp: OperationStamp)
}
