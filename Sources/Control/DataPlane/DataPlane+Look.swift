import Affinity
import NIOCore
import Store

extension DataPlane {
    /// What the store holds of a session, by the first loop's connection. Nothing is written, extended or cached.
    /// Waits at most the store's budget.
    func look(_ fingerprint: Fingerprint) async -> StoreAnswer {
        guard let plane = loops.first else { return .unavailable(.away) }
        let answer = plane.loop.flatSubmit {
            let promise = plane.loop.makePromise(of: StoreAnswer.self)
            plane.store.value.asked.ask(.look(fingerprint), for: Onlooker(promise))
            return promise.futureResult
        }
        return (try? await answer.get()) ?? .unavailable(.away)
    }
}

/// Waits for one answer and passes it on.
private final class Onlooker: StoreWaiter {
    private let promise: EventLoopPromise<StoreAnswer>

    init(_ promise: EventLoopPromise<StoreAnswer>) {
        self.promise = promise
    }

    func storeAnswered(_ answer: StoreAnswer, to question: StoreQuestion, asked: Asking) {
        promise.succeed(answer)
    }
}
