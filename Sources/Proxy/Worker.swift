package import Affinity
import Crypto
import HTTPWire
package import Logging
package import NIOCore
import Routing
package import Store

/// Everything that one event loop owns: its services, its connections, its counters. Confined to that loop; nothing in
/// it is locked but the binding cache's shards.
package final class Worker {
    package let loop: any EventLoop
    package let store: any BindingStore
    let limits: ProxyLimits
    let replicaName: String
    let scanner: HeadScanner
    let requestFields: FieldTable
    let responseFields: FieldTable
    let receiveBuffers = ReceiveBuffers()
    var spareBuffers = SpareBuffers()
    var counters: WorkerCounters
    private(set) var isStopping = false
    private var isStopped = false
    /// In the order of the snapshot.
    private(set) var services: [ServiceRuntime] = []
    let passwordChecks: PasswordChecks

    private(set) var snapshot: Snapshot
    private let matchScratch = MatchScratch()
    let exchangeLog: (any ExchangeLog)?
    let logger: Logger
    private let sweep = DeadlineSweep()
    private var clients: [ObjectIdentifier: ClientHandler] = [:]
    private var random = SystemRandomNumberGenerator()
    private(set) var prober: HealthProber?
    private let cache: BindingCache
    private let coherence: Coherence
    private var flights = SingleFlight<Exchange>()
    private var offering: OfferPace?

    /// How long an idle client connection may still bring a request after the stop began.
    private static let lastRequestGrace = TimeAmount.seconds(1)

    package init(
        loop: any EventLoop, entryPoints: Int, snapshot: Snapshot, store: any BindingStore, cache: BindingCache,
        coherence: Coherence, limits: ProxyLimits, replicaName: String, exchangeLog: (any ExchangeLog)?, logger: Logger,
        passwords: PasswordVerifier = .shared
    ) {
        self.loop = loop
        passwordChecks = PasswordChecks(verifier: passwords, loop: loop)
        self.snapshot = snapshot
        self.store = store
        self.cache = cache
        self.coherence = coherence
        self.limits = limits
        self.replicaName = replicaName
        self.exchangeLog = exchangeLog
        self.logger = logger
        scanner = HeadScanner(limits: limits.message)
        requestFields = FieldTable(capacity: limits.message.fieldCount)
        responseFields = FieldTable(capacity: limits.message.fieldCount)
        counters = WorkerCounters(entryPoints: entryPoints)
        services = snapshot.services.map { makeRuntime($0) }
        adoptChildren()
        prober = HealthProber(worker: self)
        offering = OfferPace(worker: self)
    }

    package func start() {
        setClocks()
        sweep.start(on: loop) { [weak self] in
            guard let self else { return }
            setClocks()
            offering?.startIfDue()
        }
    }

    private func makeRuntime(_ service: Service) -> ServiceRuntime {
        ServiceRuntime(
            service, worker: self, cache: cache, coherence: coherence, cookieKeys: snapshot.cookieKeys)
    }

    /// Serves by another configuration from this turn of the loop on. A service or a backend that is still there keeps
    /// its connections, counters and bindings; exchanges under way finish where they are.
    package func apply(_ snapshot: Snapshot) {
        guard !isStopped else { return }
        self.snapshot = snapshot
        var kept = Dictionary(services.map { ($0.description.name, $0) }, uniquingKeysWith: { first, _ in first })
        services = snapshot.services.map { service in
            guard let runtime = kept.removeValue(forKey: service.name) else { return makeRuntime(service) }
            // A request that is decided for backends has nothing ready for children, nor the other way round.
            guard runtime.isWeighted == service.isWeighted else {
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

    private func adoptChildren() {
        for service in services { service.adoptChildren(services) }
        for service in services where service.isWeighted && service.sticky != nil { service.shareSessions() }
    }

    /// The wall clock may be set while we run.
    private func setClocks() {
        let origin = WallClock.nanoseconds() &- now().nanoseconds
        for service in services { service.affinity.wallOrigin = origin }
    }

    // MARK: Time and chance

    func now() -> Instant { .now }

    /// Seconds since 1970: for hints alone.
    func wallClock() -> UInt32 { WallClock.seconds() }

    func randomSessionID() -> SessionCookie.SessionID {
        SessionCookie.SessionID(high: random.next(), low: random.next())
    }

    func randomSeed() -> UInt64 { random.next() }

    func randomNonce() -> (UInt64, UInt32) { (random.next(), random.next()) }

    // MARK: The store

    /// Asks for an exchange, or has it wait for the answer that another has asked for.
    func ask(_ question: StoreQuestion, for exchange: Exchange) {
        guard flights.board(question.fingerprint, exchange) else { return }
        store.ask(question, for: exchange)
    }

    /// A question is answered. Returns those who waited for it too.
    func landed(_ question: StoreQuestion) -> [Exchange] { flights.land(question.fingerprint) }

    /// Whether the store can be told now what it has not heard about this session.
    func mayOffer(_ session: Fingerprint) -> Bool {
        store.isAvailable(for: session) && coherence.isLive(for: session, now: now())
    }

    // MARK: Requests

    /// The place in the route table of the router that takes the request.
    func route(_ head: RequestHead, in bytes: UnsafeRawBufferPointer, of client: ClientHandler) -> Int? {
        let request = RequestView(head: head, bytes: bytes, fields: requestFields, client: client.identity)
        let router = snapshot.routes.match(request, entryPoint: client.entryPoint.index, scratch: matchScratch)
        counters.patternsOverLimit = matchScratch.patternsOverLimit
        return router
    }

    /// Nil where the router names a service that is not there now.
    func service(of router: Int) -> ServiceRuntime? { snapshot.routers[router].service.map { services[$0] } }

    func middlewares(of router: Int) -> MiddlewareChain? { snapshot.routers[router].middlewares }

    func nameOfRouter(_ router: Int) -> String { snapshot.routers[router].name }

    func exchangeFinished(_ exchange: Exchange) {
        if let service = exchange.service {
            service.counting.counters.count(exchange.route?.provenance, status: exchange.status)
        }
        if let exchangeLog, let record = exchange.finishedRecord() { exchangeLog.append(record) }
    }

    /// Lets the fleet's judge know what this loop finds out about backends.
    package func report(to evidence: HealthEvidence) {
        prober?.evidence = evidence
    }

    func backendSuspected(_ service: ServiceRuntime, _ pool: BackendPool) {
        prober?.backendSuspected(service, pool)
    }

    func backendFailed(_ service: ServiceRuntime, _ pool: BackendPool) {
        prober?.backendFailed(service, pool)
    }

    /// What this loop has counted until now.
    package func measure() -> WorkerCounters {
        var counters = counters
        for service in services { counters.services[service.description.name] = service.counters }
        return counters
    }

    // MARK: Buffers

    /// A copy with no more storage than its bytes: what is kept must not pin the loop's receive buffer.
    func copy(_ bytes: ByteBuffer) -> ByteBuffer {
        var copy = ByteBufferAllocator().buffer(capacity: bytes.readableBytes)
        copy.writeImmutableBuffer(bytes)
        return copy
    }

    /// What is written may wait for a slow peer: a small piece is copied, a large one is worth the buffer it pins.
    func compact(_ piece: ByteBuffer) -> ByteBuffer {
        piece.readableBytes < ReceiveBuffers.capacity / 4 ? copy(piece) : piece
    }

    // MARK: Connections

    func clientOpened(_ client: ClientHandler) {
        clients[ObjectIdentifier(client)] = client
        counters.clientConnections[client.entryPoint.index] += 1
        sweep.add(client)
    }

    func clientClosed(_ client: ClientHandler) {
        guard clients.removeValue(forKey: ObjectIdentifier(client)) != nil else { return }
        counters.clientConnections[client.entryPoint.index] -= 1
        sweep.remove(client)
    }

    func backendOpened(_ connection: BackendHandler) {
        counters.backendConnections += 1
        sweep.add(connection)
    }

    func backendClosed(_ connection: BackendHandler) {
        counters.backendConnections -= 1
        sweep.remove(connection)
    }

    // MARK: Stop

    /// No request is begun on a connection that is idle for long; those under way are finished.
    package func stop() {
        isStopping = true
        let last = NIODeadline.now() + Self.lastRequestGrace
        for client in clients.values { client.stop(by: last) }
    }

    /// Client connections that are still open.
    package var openClients: Int { clients.count }

    /// Cuts what has not ended by itself, and lets go of everything.
    package func shutDown() {
        isStopped = true
        for client in clients.values { client.cut() }
        for service in services {
            for pool in service.pools { pool.closeIdle() }
        }
        prober?.stop()
        prober = nil
        offering?.stop()
        offering = nil
        sweep.stop()
        services = []
    }
}

@available(*, unavailable)
extension Worker: Sendable {}
