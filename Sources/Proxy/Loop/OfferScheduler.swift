import Affinity
import NIOCore
import Store

/// Sends offers to the store: what the services of one event loop decided without it, or what it may have lost. The
/// loops of a replica have their rate in common (``OfferThrottle``).
final class OfferScheduler {
    private static let interval = TimeAmount.milliseconds(OfferThrottle.tickMilliseconds)
    private static let offersEachTime = 100

    private let loop: LoopContext
    private let table: ServiceTable
    private let store: any BindingStore
    private let coherence: Coherence
    private var task: RepeatedTask?

    init(loop: LoopContext, table: ServiceTable, store: any BindingStore, coherence: Coherence) {
        self.loop = loop
        self.table = table
        self.store = store
        self.coherence = coherence
    }

    func startIfDue() {
        guard task == nil, table.services.contains(where: { $0.affinity.hasOffers }) else { return }
        let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
        task = loop.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: Self.interval) { _ in
            bound.value.offer()
        }
    }

    func stop() {
        task?.cancel()
        task = nil
    }

    /// Whether an offer for this session can be sent to the store now.
    private func mayOffer(_ session: Fingerprint) -> Bool {
        store.isAvailable(for: session) && coherence.isLive(for: session, now: loop.now())
    }

    private func offer() {
        let now = loop.now()
        var left = coherence.offerThrottle.take(Self.offersEachTime, now: now)
        guard left > 0 else { return }
        for service in table.services where service.affinity.hasOffers {
            let waiter = OfferWaiter(service: service, pace: coherence.offerThrottle)
            while left > 0, let operation = service.affinity.nextOffer(now: now, where: mayOffer) {
                store.send(operation, for: waiter)
                left -= 1
            }
        }
        guard left > 0 else { return }
        coherence.offerThrottle.giveBack(left)
        stop()
    }
}

@available(*, unavailable)
extension OfferScheduler: Sendable {}

/// Receives the results of a service's offers.
private final class OfferWaiter: StoreWaiter {
    private let service: ServiceRuntime
    private let pace: OfferThrottle

    init(service: ServiceRuntime, pace: OfferThrottle) {
        self.service = service
        self.pace = pace
    }

    var isBackground: Bool { true }

    func storeAnswered(_ answer: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {
        if let next = service.followUp(to: answer, of: operation, stamp: stamp) {
            return service.store.send(next, for: self)
        }
        let budget = service.description.settings.budgetMilliseconds
        let now = service.loop.now()
        pace.ended(isSlow: answer.isSlow(stamp, budgetMilliseconds: budget, now: now), now: now)
    }
}
