package import Affinity
package import Configuration
package import Logging
import NIOCore
import NIOPosix
package import Proxy
package import Store
import Synchronization

/// The running data plane of a replica: event loops with their workers and store connections, and the listeners.
///
/// Started bottom up (store, workers, listeners) and stopped top down.
package final class DataPlane: Sendable {
    /// How long exchanges under way may take after the stop has begun.
    package static let grace = Duration.seconds(30)

    /// How long tunnels may take to end after that. A little more than the second that each has.
    private static let tunnelGrace = Duration.milliseconds(1300)

    /// How long a start waits for the store.
    private static let storeGrace = Duration.seconds(1)

    private let group: MultiThreadedEventLoopGroup
    let loops: [LoopRuntime]
    /// Runs on the first loop.
    let prober: NIOLoopBound<HealthProber>?
    /// Runs on the first loop.
    let fleetMember: NIOLoopBound<FleetMember>?
    private let listeners: [any Channel]
    let cache: BindingCache
    let coherence: Coherence
    let current: Mutex<Current>
    /// The last requested change of the configuration; the next one waits for it.
    let lastChange = Mutex<Task<Result<Void, SnapshotDiagnostic>, Never>?>(nil)
    let redaction: LiveRedaction
    private let accessLog: AccessLog?
    private let logger: Logger

    let keys: FleetKeys
    /// A random number that identifies this process.
    let instance: UInt64

    /// The configuration in use, replaced as a whole.
    struct Current: Sendable {
        var configuration: Configuration
        var snapshot: Snapshot
        var fingerprint: ConfigurationFingerprint
    }

    private var configuration: Configuration { current.withLock { $0.configuration } }
    /// The fingerprint of the configuration in use.
    var fingerprint: ConfigurationFingerprint { current.withLock { $0.fingerprint } }

    var replicaName: String { configuration.replica.name }
    var entryPointNames: [String] { configuration.entryPoints.map(\.name) }
    var cacheCapacity: Int { configuration.store.cacheEntries }
    var hasSharedStore: Bool { configuration.store.redis != nil }
    func droppedLogLines() -> UInt64 { accessLog?.droppedCount ?? 0 }

    /// The parts that belong to one event loop.
    struct LoopRuntime: Sendable {
        let worker: NIOLoopBound<Worker>
        let store: NIOLoopBound<LoopStore>
        var loop: any EventLoop { worker.eventLoop }
    }

    /// Starts everything. If it throws, nothing is left running.
    ///
    /// - Throws: ``ListenError`` or ``SnapshotDiagnostic``, each one sentence for people. An unreachable store is not
    ///   an error.
    package static func start(
        _ configuration: Configuration, accessLog: AccessLog?, logger: Logger
    ) async throws -> DataPlane {
        let keys = FleetKeys(configuration.fleet)
        let redaction = LiveRedaction(configuration.http.services)
        let exchangeLog = accessLog.map { ExchangeLogWriter(log: $0, redaction: redaction) }
        let snapshot = try Snapshot(configuration, keys: keys)
        let cache = BindingCache(entries: configuration.store.cacheEntries)
        let coherence = configuration.store.redis == nil ? Coherence.alone() : Coherence(primaries: 1)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.replica.threads)
        var loops: [LoopRuntime] = []
        var prober: NIOLoopBound<HealthProber>?
        var fleetMember: NIOLoopBound<FleetMember>?
        do {
            let (failureLog, floodLog) = (FailureLog(logger), FloodLog(logger))
            let stores = LoopStoreFactory(configuration, loops: configuration.replica.threads, logger: logger)
            for loop in group.makeIterator() {
                loops.append(
                    try await loop.submit {
                        LoopRuntime(
                            loop, configuration, snapshot: snapshot, store: stores.make(on: loop), cache: cache,
                            coherence: coherence, exchangeLog: exchangeLog, failureLog: failureLog, floodLog: floodLog,
                            logger: logger)
                    }.get())
            }
            prober = try await makeProber(for: loops, snapshot)
            let fingerprint = ConfigurationFingerprint(configuration, keys: keys)
            let own = FleetMessage.Sender(
                instance: .random(in: 0 ... .max), configuration: fingerprint.bits, name: configuration.replica.name,
                version: Version.current)
            fleetMember = try await joinFleet(
                own, configuration, snapshot, keys: keys, coherence: coherence, cache: cache, first: loops.first,
                prober: prober,
                logger: logger)
            await awaitStores(of: loops, fleetMember)
            let listeners = try await listen(configuration, group, loops)
            return DataPlane(
                group: group, loops: loops, prober: prober, fleetMember: fleetMember, listeners: listeners,
                cache: cache,
                coherence: coherence,
                current: Current(configuration: configuration, snapshot: snapshot, fingerprint: fingerprint),
                keys: keys, instance: own.instance, redaction: redaction, accessLog: accessLog, logger: logger)
        } catch {
            await end(loops, prober, fleetMember, group)
            throw error
        }
    }

    /// One for all loops; it runs on the first.
    private static func makeProber(
        for loops: [LoopRuntime], _ snapshot: Snapshot
    ) async throws -> NIOLoopBound<HealthProber>? {
        guard let first = loops.first else { return nil }
        let (prober, evidence) = try await first.loop.submit {
            let prober = HealthProber(loop: first.worker.value.loop, snapshot: snapshot)
            return (NIOLoopBound(prober, eventLoop: first.loop), prober.evidence)
        }.get()
        for plane in loops { try await plane.loop.submit { plane.worker.value.report(to: evidence) }.get() }
        return prober
    }

    /// Nil without a shared store.
    private static func joinFleet(
        _ own: FleetMessage.Sender, _ configuration: Configuration, _ snapshot: Snapshot, keys: FleetKeys,
        coherence: Coherence, cache: BindingCache, first: LoopRuntime?, prober: NIOLoopBound<HealthProber>?,
        logger: Logger
    ) async throws -> NIOLoopBound<FleetMember>? {
        guard let first, let prober else { return nil }
        let lease = configuration.store.lease.wholeMilliseconds
        return try await first.loop.submit { () -> NIOLoopBound<FleetMember>? in
            guard case .redis(let router) = first.store.value, let store = router.connectedStore(of: 0) else {
                return nil
            }
            let fleetMember = FleetMember(
                own, key: keys.fingerprint, leaseMilliseconds: lease, prober: prober.value, snapshot: snapshot,
                store: store,
                coherence: coherence, cache: cache, logger: logger)
            fleetMember.start()
            return NIOLoopBound(fleetMember, eventLoop: first.loop)
        }.get()
    }

    /// Stops what runs on the loops, then the loops.
    private static func end(
        _ loops: [LoopRuntime], _ prober: NIOLoopBound<HealthProber>?, _ fleetMember: NIOLoopBound<FleetMember>?,
        _ group: MultiThreadedEventLoopGroup
    ) async {
        if let fleetMember { try? await fleetMember.eventLoop.flatSubmit { fleetMember.value.stop() }.get() }
        if let prober { try? await prober.eventLoop.submit { prober.value.stop() }.get() }
        for plane in loops {
            let (worker, store) = (plane.worker, plane.store)
            try? await plane.loop.submit {
                worker.value.shutDown()
                store.value.stopForwarding()
            }.get()
        }
        for plane in loops {
            let store = plane.store
            try? await plane.loop.flatSubmit { store.value.stop(on: store.eventLoop) }.get()
        }
        try? await group.shutdownGracefully()
    }

    private init(
        group: MultiThreadedEventLoopGroup, loops: [LoopRuntime], prober: NIOLoopBound<HealthProber>?,
        fleetMember: NIOLoopBound<FleetMember>?, listeners: [any Channel], cache: BindingCache, coherence: Coherence,
        current: Current, keys: FleetKeys, instance: UInt64, redaction: LiveRedaction, accessLog: AccessLog?,
        logger: Logger
    ) {
        self.group = group
        self.loops = loops
        self.prober = prober
        self.fleetMember = fleetMember
        self.listeners = listeners
        self.cache = cache
        self.coherence = coherence
        self.current = Mutex(current)
        self.redaction = redaction
        self.keys = keys
        self.instance = instance
        self.accessLog = accessLog
        self.logger = logger
    }

    /// Returns when the store is available, has proved unreachable, or has been silent for too long. A request before
    /// that would be hashed, and one of a session that has moved would be misrouted.
    private static func awaitStores(of loops: [LoopRuntime], _ fleetMember: NIOLoopBound<FleetMember>?) async {
        let end = ContinuousClock.now + storeGrace
        for plane in loops {
            while ContinuousClock.now < end {
                let isSettled = try? await plane.loop.submit { plane.store.value.isSettled }.get()
                if isSettled ?? true { break }
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
        while let fleetMember, ContinuousClock.now < end {
            let isSettled = try? await fleetMember.eventLoop.submit { fleetMember.value.isSettled }.get()
            if isSettled ?? true { break }
            try? await Task.sleep(for: .milliseconds(1))
        }
    }

    private static func listen(
        _ configuration: Configuration, _ group: MultiThreadedEventLoopGroup, _ loops: [LoopRuntime]
    ) async throws -> [any Channel] {
        let workers = WorkerDirectory(loops.map(\.worker))
        let gate = ConnectionLimit(limit: ProxyLimits().clientConnections)
        var listeners: [any Channel] = []
        for (index, settings) in configuration.entryPoints.enumerated() {
            let entryPoint = EntryPoint(settings, index: index)
            let bootstrap = Listener.bootstrap(entryPoint: entryPoint, group: group, workers: workers, gate: gate)
            listeners.append(try await bootstrap.bind(to: settings.address))
        }
        return listeners
    }

    /// The ports of the entry points, in their order.
    package var ports: [Int] { listeners.map { $0.localAddress?.port ?? 0 } }

    /// Where the entry points listen, for people: `web=:8000 websecure=127.0.0.1:8443`.
    var addresses: String {
        zip(configuration.entryPoints, ports)
            .map { "\($0.name)=\(ListenAddress(host: $0.address.host, port: $1))" }.joined(separator: " ")
    }

    // MARK: Stop

    /// Accepts no new connections, lets requests under way finish for at most ``grace``, then closes the rest.
    package func stop() async {
        for listener in listeners { try? await listener.close() }
        await onEachLoop { $0.worker.value.stop() }
        let end = ContinuousClock.now + Self.grace
        while ContinuousClock.now < end, await openClients() > 0 {
            try? await Task.sleep(for: .milliseconds(20))
        }
        await endTunnels()
        let cut = await openClients()
        if cut > 0 {
            logger.warning("The shutdown timed out; open connections were closed.", metadata: ["connections": "\(cut)"])
        }
        await Self.end(loops, prober, fleetMember, group)
    }

    /// Tunnels have no end that could be waited for. Returns when they have ended, or their time is over.
    private func endTunnels() async {
        guard await openTunnels() > 0 else { return }
        await onEachLoop { $0.worker.value.endTunnels() }
        let end = ContinuousClock.now + Self.tunnelGrace
        while ContinuousClock.now < end, await openTunnels() > 0 {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    private func openTunnels() async -> Int {
        await onEachLoop { $0.worker.value.openTunnels }.reduce(0, +)
    }

    private func openClients() async -> Int {
        await onEachLoop { $0.worker.value.openClients }.reduce(0, +)
    }

    // MARK: Counters

    /// What this replica knows of the fleet; nil without a shared store.
    func fleetStatus() async -> FleetMember.FleetStatus? {
        guard let fleetMember else { return nil }
        return try? await fleetMember.eventLoop.submit { fleetMember.value.fleetStatus }.get()
    }

    /// The counters of all event loops, each loop read at once.
    package func measure() async -> DataPlaneCounters {
        var total = DataPlaneCounters(
            services: current.withLock { $0.snapshot.services }, cache: cache.counts(), cacheBytes: cache.byteCount)
        for counters in await onEachLoop({ plane in
            (plane.worker.value.measure(), plane.store.value.counters, plane.store.value.isAvailable)
        }) {
            total.workers.append(counters.0)
            total.stores.append(counters.1)
            if counters.2 { total.storesInUse += 1 }
        }
        return total
    }

    @discardableResult
    private func onEachLoop<Value: Sendable>(_ body: @escaping @Sendable (LoopRuntime) -> Value) async -> [Value] {
        var values: [Value] = []
        for plane in loops {
            if let value = try? await plane.loop.submit({ body(plane) }).get() { values.append(value) }
        }
        return values
    }
}

/// The counters of a replica's event loops.
package struct DataPlaneCounters: Sendable {
    package var services: [Proxy.Service]
    package var cache: BindingCache.Counts
    package var cacheBytes: Int
    /// One per event loop.
    package var workers: [WorkerCounters] = []
    package var stores: [StoreCounters] = []
    /// The number of event loops on which the store is available.
    package var storesInUse = 0
}

extension DataPlane.LoopRuntime {
    /// Must be called on its loop.
    fileprivate init(
        _ loop: any EventLoop, _ configuration: Configuration, snapshot: Snapshot, store: LoopStore,
        cache: BindingCache, coherence: Coherence, exchangeLog: (any ExchangeLog)?, failureLog: FailureLog,
        floodLog: FloodLog, logger: Logger
    ) {
        let context = LoopContext(
            eventLoop: loop, entryPoints: configuration.entryPoints.count, limits: ProxyLimits(),
            replicaName: configuration.replica.name, sendsDirectly: configuration.replica.directSend,
            exchangeLog: exchangeLog, failureLog: failureLog, floodLog: floodLog, logger: logger)
        let worker = Worker(
            loop: context, snapshot: snapshot, store: store.store, cache: cache, coherence: coherence)
        self.init(
            worker: NIOLoopBound(worker, eventLoop: loop), store: NIOLoopBound(store, eventLoop: loop))
        store.start()
        worker.start()
    }
}
