package import Affinity
import NIOCore
package import Store

/// Everything that one event loop owns: its services, its connections, its counters. Confined to that loop; only the
/// shards of the binding cache are locked.
package final class Worker {
    package let loop: LoopContext
    package let store: any BindingStore
    let table: ServiceTable
    let passwordChecks: PasswordChecks
    private var clients: [ObjectIdentifier: any ClientConnection] = [:]
    private let coherence: Coherence
    private var flights = SingleFlight<any SessionWaiter>()
    private var offering: OfferScheduler?
    private var isStopped = false

    /// How long an idle client connection can still receive a request after the stop began.
    private static let lastRequestGrace = TimeAmount.seconds(1)

    /// How long a tunnel may take to end after the stop's deadline.
    static let goingAwayGrace = TimeAmount.seconds(1)

    package init(
        loop: LoopContext, snapshot: Snapshot, store: any BindingStore, cache: BindingCache, coherence: Coherence,
        passwords: PasswordVerifier = .shared
    ) {
        self.loop = loop
        self.store = store
        self.coherence = coherence
        passwordChecks = PasswordChecks(verifier: passwords, loop: loop.eventLoop)
        table = ServiceTable(snapshot, loop: loop, store: store, cache: cache, coherence: coherence)
        offering = OfferScheduler(loop: loop, table: table, store: store, coherence: coherence)
    }

    package func start() {
        table.setClocks()
        loop.deadlines.start(on: loop.eventLoop) { [weak self] in
            guard let self else { return }
            table.setClocks()
            offering?.startIfDue()
        }
    }

    /// Applies a new configuration from this turn of the loop on.
    package func apply(_ snapshot: Snapshot) {
        guard !isStopped else { return }
        table.apply(snapshot)
    }

    /// In the order of the snapshot.
    var services: [ServiceRuntime] { table.services }

    /// The counters of this loop up to now.
    package func measure() -> WorkerCounters {
        var counters = loop.counters
        for service in services {
            let name = service.description.name
            counters.services[name] = service.counters
            counters.backendRequestsInFlight[name] = Dictionary(
                service.pools.map { ($0.backend.name, $0.inFlight) }, uniquingKeysWith: +)
            for pool in service.pools where !pool.failures.isEmpty {
                counters.backendFailures[name, default: [:]][pool.backend.name, default: [:]]
                    .merge(pool.failures, uniquingKeysWith: &+)
            }
        }
        return counters
    }

    // MARK: The store

    /// Sends an operation for a request, or makes the request wait for the operation in flight of its session.
    func send(_ operation: StoreOperation, for waiter: any SessionWaiter) {
        guard flights.board(operation.fingerprint, waiter) else { return }
        store.send(operation, for: waiter)
    }

    /// An operation has returned its result. Returns the other requests that waited for it.
    func landed(_ operation: StoreOperation) -> [any SessionWaiter] { flights.land(operation.fingerprint) }

    // MARK: Health

    /// Reports to the replica's prober what this loop finds out about backends.
    package func report(to evidence: HealthEvidence) {
        loop.evidence = evidence
    }

    // MARK: Connections

    /// - Parameter entryPoint: where it counts as a connection; nil: it does not.
    func clientOpened(_ client: any ClientConnection, at entryPoint: EntryPoint?) {
        clients[ObjectIdentifier(client)] = client
        if let entryPoint { loop.counters.clientConnections[entryPoint.index] += 1 }
        loop.deadlines.add(client)
    }

    /// - Parameter entryPoint: as when it was opened.
    func clientClosed(_ client: any ClientConnection, at entryPoint: EntryPoint?) {
        guard clients.removeValue(forKey: ObjectIdentifier(client)) != nil else { return }
        if let entryPoint { loop.counters.clientConnections[entryPoint.index] -= 1 }
        loop.deadlines.remove(client)
    }

    /// The number of open client connections, and of tunnels in streams.
    package var openClients: Int { clients.count }

    // MARK: Stop

    /// Stops accepting requests on connections that stay idle; requests in progress are finished.
    package func stop() {
        loop.isStopping = true
        let last = NIODeadline.now() + Self.lastRequestGrace
        for client in clients.values { client.stop(by: last) }
    }

    /// The number of open tunnels.
    package var openTunnels: Int { loop.counters.openTunnels }

    /// The stop's deadline has come: ends the tunnels, each in the way of its protocol, within a second.
    package func endTunnels() {
        let last = NIODeadline.now() + Self.goingAwayGrace
        for client in Array(clients.values) { client.goAway(by: last) }
    }

    /// Closes all remaining connections and releases everything.
    package func shutDown() {
        isStopped = true
        for client in clients.values { client.cut() }
        loop.evidence = nil
        offering?.stop()
        offering = nil
        loop.deadlines.stop()
        table.shutDown()
    }
}

@available(*, unavailable)
extension Worker: Sendable {}
