import Affinity
import Routing
import Store

/// The routers and services that one event loop uses, and their replacement by a new configuration. Confined to its
/// loop.
final class ServiceTable {
    private(set) var snapshot: Snapshot
    /// In the order of the snapshot.
    private(set) var services: [ServiceRuntime] = []
    private let loop: LoopContext
    private let store: any BindingStore
    private let cache: BindingCache
    private let coherence: Coherence
    private let matchScratch = MatchScratch()

    init(
        _ snapshot: Snapshot, loop: LoopContext, store: any BindingStore, cache: BindingCache, coherence: Coherence
    ) {
        self.snapshot = snapshot
        self.loop = loop
        self.store = store
        self.cache = cache
        self.coherence = coherence
        services = snapshot.services.map { makeRuntime($0) }
        adoptChildren()
    }

    /// Applies a new configuration from this turn of the loop on. A service or a backend that remains keeps its
    /// connections, counters and bindings; exchanges in progress finish with their current service.
    func apply(_ snapshot: Snapshot) {
        self.snapshot = snapshot
        var kept = Dictionary(services.map { ($0.description.name, $0) }, uniquingKeysWith: { first, _ in first })
        services = snapshot.services.map { service in
            guard let runtime = kept.removeValue(forKey: service.name) else { return makeRuntime(service) }
            // Requests that are being decided for backends have no state for children, and the reverse.
            guard runtime.hasChildren == service.hasChildren else {
                let successor = makeRuntime(service)
                runtime.retire(for: successor)
                return successor
            }
            runtime.adopt(service, cookieKeys: snapshot.cookieKeys)
            return runtime
        }
        adoptChildren()
        for runtime in kept.values { runtime.retire() }
        setClocks()
    }

    /// Sets the offset of the wall clock in each service, because the clock may be adjusted while the replica runs.
    func setClocks() {
        let origin = WallClock.nanoseconds() &- loop.now().nanoseconds
        for service in services { service.affinity.wallOrigin = origin }
    }

    /// Closes all idle connections and drops the services.
    func shutDown() {
        for service in services {
            for pool in service.pools { pool.closeIdle() }
        }
        services = []
    }

    // MARK: Requests

    /// The plan of the router that matches the request; nil if none does.
    func router(of request: RequestView) -> RouterPlan? {
        let place = snapshot.routes.match(
            request, entryPoint: snapshot.routeIndex(of: request.client), scratch: matchScratch)
        loop.counters.patternsOverLimit = matchScratch.patternsOverLimit
        return place.map { snapshot.routers[$0] }
    }

    /// Nil if the router refers to a service that does not exist at the moment.
    func service(of router: RouterPlan) -> ServiceRuntime? { router.service.map { services[$0] } }

    private func makeRuntime(_ service: Service) -> ServiceRuntime {
        ServiceRuntime(
            service, loop: loop, store: store, cache: cache, coherence: coherence, cookieKeys: snapshot.cookieKeys)
    }

    private func adoptChildren() {
        for service in services { service.adoptChildren(services) }
    }
}

@available(*, unavailable)
extension ServiceTable: Sendable {}
