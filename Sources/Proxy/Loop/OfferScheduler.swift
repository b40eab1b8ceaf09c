import Affinity
import NIOCore
import Store

/// Tells the store, not faster than it can bear, what the services of one event loop decided without it or what it may
/// have lost: a few offers at a time, until there are none.
///
/// The rate bounds what a fleet that has been without its store for long asks of it beside the requests.
final class OfferScheduler {
    /// 1000 a second for each event loop.
    private static let interval = TimeAmount.milliseconds(10)
    private static let offersEachTime = 10

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

    /// Whether the store can be told now what it has not heard about this session.
    private func mayOffer(_ session: Fingerprint) -> Bool {
        store.isAvailable(for: session) && coherence.isLive(for: session, now: loop.now())
    }

    private func offer() {
        let now = loop.now()
        var left = Self.offersEachTime
        for service in table.services {
            while left > 0, let operation = service.affinity.nextOffer(now: now, where: mayOffer) {
                store.send(operation, for: service)
                left -= 1
            }
        }
        if left > 0 { stop() }
    }
}

@available(*, unavailable)
extension OfferScheduler: Sendable {}
