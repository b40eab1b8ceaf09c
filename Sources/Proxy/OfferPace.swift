import Affinity
import NIOCore
import Store

/// Tells the store, not faster than it can bear, what the services of one event loop decided without it or what it may
/// have lost: a few offers at a time, until there are none.
///
/// The rate bounds what a fleet that has been without its store for long asks of it beside the requests.
final class OfferPace {
    /// 1000 a second for each event loop.
    private static let interval = TimeAmount.milliseconds(10)
    private static let offersEachTime = 10

    private unowned let worker: Worker
    private var task: RepeatedTask?

    init(worker: Worker) {
        self.worker = worker
    }

    func startIfDue() {
        guard task == nil, worker.services.contains(where: { $0.affinity.hasOffers }) else { return }
        let bound = NIOLoopBound(self, eventLoop: worker.loop)
        task = worker.loop.scheduleRepeatedTask(initialDelay: .zero, delay: Self.interval) { _ in
            bound.value.offer()
        }
    }

    func stop() {
        task?.cancel()
        task = nil
    }

    private func offer() {
        let now = worker.now()
        var left = Self.offersEachTime
        for service in worker.services {
            while left > 0, let question = service.affinity.nextOffer(now: now, where: worker.mayOffer) {
                worker.store.ask(question, for: service)
                left -= 1
            }
        }
        if left > 0 { stop() }
    }
}

@available(*, unavailable)
extension OfferPace: Sendable {}
