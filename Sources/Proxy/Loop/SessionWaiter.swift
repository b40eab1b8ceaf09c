import Affinity
import Store

/// A request that waits for the store. Of the requests of one session only one asks; the others are told what its
/// answer means for them.
protocol SessionWaiter: StoreWaiter {
    /// Another request of the same session asked, and was answered.
    func proceed(by answer: StoreResult, to operation: StoreOperation, stamp: OperationStamp)
}
