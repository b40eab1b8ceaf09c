import Affinity
import Store

/// Binds one session key that a response has issued. The exchange that waits for it may have ended when the store's
/// result arrives; the result is applied anyway.
final class IssuedKeyBinding: StoreWaiter {
    private let service: ServiceRuntime
    private var learning: Learning
    private var done: (() -> Void)?

    /// - Parameter done: called once, in the turn of the loop in which `begin` is called or a later one.
    init(_ key: IssuedKey, done: @escaping () -> Void) {
        service = key.service
        learning = key.learning
        self.done = done
    }

    func begin() {
        let session = learning.fingerprint
        perform(
            service.affinity.learn(
                &learning, storeIsAvailable: service.store.isAvailable(for: session), now: service.loop.now()))
    }

    func storeAnswered(_ answer: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {
        if case .record(let record) = answer, case let binding = record.binding, !binding.isTombstone,
            binding.backend != learning.backend
        {
            service.loop.counters.keysLearntElsewhere &+= 1
        }
        perform(
            service.affinity.storeAnswered(
                &learning, answer, to: operation, stamp: stamp, now: service.loop.now()))
    }

    private func perform(_ step: LearningStep) {
        switch step {
        case .send(let operation):
            service.store.send(operation, for: self)
        case .done:
            let done = done
            self.done = nil
            done?()
        }
    }
}

@available(*, unavailable)
extension IssuedKeyBinding: Sendable {}
