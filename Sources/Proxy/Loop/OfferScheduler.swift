import Affinity
import NIOCore
import Store

/// Sends offers to the store at a limited rate: what the services of one event loop decided without the store, or what
/// the store may have lost. It sends a few offers at a time, until none are left.
///
/// The rate bounds the load on the store, in addition to the requests, after a fleet has been without it for a long
/// time.
final class OfferScheduler {
    /// 1000 offers per second and event loop.
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

    /// Whether an offer for this session can be sent to the store now.
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
