import Affinity
import Store

/// One session key that a response has issued, on its way to being bound. The exchange that waits for it may be gone
/// when the answer comes; what it says is taken in all the same.
final class Lesson: StoreWaiter {
    private let service: ServiceRuntime
    private var learning: Learning
    private var exchange: Exchange?

    init(_ learning: Learning, _ service: ServiceRuntime, for exchange: Exchange) {
        self.learning = learning
        self.service = service
        self.exchange = exchange
    }

    /// Tells the exchange `lessonIsOver`, in this turn of the loop or a later one.
    func begin() {
        let worker = service.worker
        let session = learning.fingerprint
        perform(
            service.affinity.learn(
                &learning, storeMayBeAsked: worker.store.isAvailable(for: session), now: worker.now()))
    }

    func storeAnswered(_ answer: StoreAnswer, to question: StoreQuestion, asked: Asking) {
        let worker = service.worker
        if case .record(let binding, _, _) = answer, !binding.isTombstone, binding.backend != learning.backend {
            worker.counters.keysLearntElsewhere &+= 1
        }
        perform(service.affinity.storeAnswered(&learning, answer, to: question, asked: asked, now: worker.now()))
    }

    private func perform(_ step: LearningStep) {
        switch step {
        case .ask(let question):
            service.worker.store.ask(question, for: self)
        case .done:
            let waiting = exchange
            exchange = nil
            waiting?.lessonIsOver()
        }
    }
}

@available(*, unavailable)
extension Lesson: Sendable {}
