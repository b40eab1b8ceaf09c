import Affinity
import NIOCore
import Store

extension DataPlane {
    /// The store's record of a session, read over the first loop's connection. Nothing is written, extended or cached.
    /// Waits at most for the store's budget.
    func readRecord(_ fingerprint: Fingerprint) async -> StoreResult {
        guard let plane = loops.first else { return .unavailable(.away) }
        let answer = plane.loop.flatSubmit {
            let promise = plane.loop.makePromise(of: StoreResult.self)
            plane.store.value.store.send(.read(fingerprint), for: RecordReader(promise))
            return promise.futureResult
        }
        return (try? await answer.get()) ?? .unavailable(.away)
    }
}

/// Waits for one result and passes it on.
private final class RecordReader: StoreWaiter {
    private let promise: EventLoopPromise<StoreResult>

    init(_ promise: EventLoopPromise<StoreResult>) {
        self.promise = promise
    }

    func storeAnswered(_ answer: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {
        promise.succeed(answer)
    }
}
