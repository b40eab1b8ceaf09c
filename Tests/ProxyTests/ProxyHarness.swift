import Affinity
import Crypto
import Foundation
import LimpetTestKit
import Logging
import NIOCore
import NIOPosix
import Routing
import Store
import Synchronization

@testable import Proxy

/// A data plane of one event loop on a free port of loopback, with a store in memory: everything real but the process.
final class ProxyHarness: Sendable {
    struct Options: Sendable {
        var limits = ProxyLimits()
        var entryPoint = EntryPointLimits()
        /// Of each service.
        var serviceLimits = ServiceLimits()
        var sendsDirectly = DirectSend.isOn
        var sources: [SessionSource] = [.header("X-Session-ID"), .query("sid"), .appCookie("APPID"), .cookie]
        var isSticky = true
        var idleTimeoutMilliseconds: Int64 = 60_000
        /// How many bits of a client's address count, where it is the source.
        var ipv4Prefix = 32
        var cookie = CookieAttributes(name: "limpet")
        var passHost = true
        var healthCheck: HealthCheck?
        var passiveHealthCheck: PassiveHealthCheck?
        var trusted: [AddressRange] = []
        var service = "app"
        var cookieKeys = [SymmetricKey(data: [UInt8](repeating: 7, count: 32))]
        var exchangeLog: (any ExchangeLog)?
        /// The store of the event loop; left out: in memory.
        var store: (@Sendable (any EventLoop) -> any BindingStore)?
        var middlewares: [Middleware] = []
        var hasService = true
        /// Whether headers and the application's cookies are learnt from responses.
        var learns = false
        /// Whether Traefik's cookies count; to Traefik the backends are called what they are called here.
        var acceptsTraefikCookies = false
        var passwords = PasswordVerifier.shared
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        /// Nil: without TLS.
        var tls: TLSServing?
        /// Of each backend; nil: without TLS.
        var backendTLS: BackendTLS?
        /// Whether the backends are spoken to by HTTP/2 from the first byte on.
        var backendsAreHTTP2 = false
        /// Whether the entry point refuses requests without TLS.
        var needsTLS = false
        /// What the router of the first service takes.
        var rule = "PathPrefix(`/`)"

        /// For backends that speak HTTP/2 without TLS, and requests without sessions.
        static func toHTTP2(_ change: (inout Options) -> Void = { _ in }) -> Options {
            var options = Options()
            options.backendsAreHTTP2 = true
            options.isSticky = false
            change(&options)
            return options
        }
    }

    let port: Int
    let options: Options
    private let services: Mutex<[Service]>
    private let group: MultiThreadedEventLoopGroup
    private let worker: NIOLoopBound<Worker>
    private let prober: NIOLoopBound<HealthProber>
    private let listener: any Channel

    static let key = FingerprintKey(k0: 1, k1: 2)

    init(backends: [Int], options: Options = Options()) async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        self.options = options
        let loop = group.next()
        let first = Described(
            name: options.service,
            backends: backends.enumerated().map { Described.Backend("b\($0.offset)", $0.element) })
        let snapshot = try first.snapshot(options, succeeding: [])
        services = Mutex(snapshot.services)
        let limits = options.limits
        let exchangeLog = options.exchangeLog
        let passwords = options.passwords
        let sendsDirectly = options.sendsDirectly
        let logger = options.logger
        (worker, prober) = try await loop.submit {
            let store =
                options.store?(loop)
                ?? MemoryStore(records: MemoryRecords(capacity: 1000, seed: 1), eventLoop: loop)
            let context = LoopContext(
                eventLoop: loop, entryPoints: 1, limits: limits, replicaName: "r1",
                sendsDirectly: sendsDirectly, exchangeLog: exchangeLog,
                logger: logger)
            let worker = Worker(
                loop: context, snapshot: snapshot, store: store, cache: BindingCache(entries: 1000),
                coherence: .alone(), passwords: passwords)
            let prober = HealthProber(loop: context, snapshot: snapshot)
            worker.report(to: prober.evidence)
            worker.start()
            return (NIOLoopBound(worker, eventLoop: loop), NIOLoopBound(prober, eventLoop: loop))
        }.get()
        let entryPoint = EntryPoint(
            name: "web", index: 0, trustedPeers: options.trusted, limits: options.entryPoint,
            needsTLS: options.needsTLS)
        listener = try await Listener.bootstrap(
            entryPoint: entryPoint, group: group, workers: WorkerDirectory([worker]),
            gate: ConnectionLimit(limit: limits.clientConnections)
        ).bind(host: "127.0.0.1", port: 0).get()
        port = listener.localAddress?.port ?? 0
    }

    /// The services that it serves by.
    var current: [Service] { services.withLock { $0 } }

    func replace(_ services: [Service]) { self.services.withLock { $0 = services } }

    /// The health of the first service's backends.
    var health: HealthTable { services.withLock { $0[0].health } }

    /// Swaps to other services, as a reload does.
    func apply(_ described: Described...) async throws { try await apply(described) }

    func apply(_ described: [Described]) async throws {
        let snapshot = try Described.snapshot(described, options, succeeding: services.withLock { $0 })
        let prober = prober
        try await onLoop { worker in
            prober.value.reconfigured(snapshot)
            worker.apply(snapshot)
        }
        services.withLock { $0 = snapshot.services }
    }

    func connect() throws -> TCPSocket { try TCPSocket(port: port) }

    /// Sends the bytes on a connection of its own and returns all that comes until the proxy closes.
    ///
    /// - Parameter host: the last number of the address 127.0.0.`host` that it comes from; nil: of 127.0.0.1.
    func exchange(_ request: String, from host: UInt8? = nil) throws -> String {
        let client = try TCPSocket(port: port, from: host)
        try client.send(request)
        return String(decoding: try client.receiveAll(), as: UTF8.self)
    }

    func counters() async throws -> WorkerCounters {
        let worker = worker
        return try await worker.eventLoop.submit { worker.value.measure() }.get()
    }

    /// Runs `body` with the worker, on its loop.
    func onLoop<Value: Sendable>(_ body: @escaping @Sendable (Worker) -> Value) async throws -> Value {
        let worker = worker
        return try await worker.eventLoop.submit { body(worker.value) }.get()
    }

    /// Runs `body` with the prober, on its loop.
    func onProber<Value: Sendable>(_ body: @escaping @Sendable (HealthProber) -> Value) async throws -> Value {
        let prober = prober
        return try await prober.eventLoop.submit { body(prober.value) }.get()
    }

    /// Begins the stop, as SIGTERM does.
    func stop() async throws {
        let worker = worker
        try await listener.close()
        try await worker.eventLoop.submit { worker.value.stop() }.get()
    }

    func shutDown() async throws {
        let worker = worker
        try? await listener.close()
        try await onProber { $0.stop() }
        try await worker.eventLoop.submit { worker.value.shutDown() }.get()
        try await group.shutdownGracefully()
    }
}

/// Runs `body` with a harness, and ends the harness whatever happens.
func withProxy(
    to backends: [Int], _ options: ProxyHarness.Options = .init(), _ body: (ProxyHarness) async throws -> Void
) async throws {
    let harness = try await ProxyHarness(backends: backends, options: options)
    do {
        try await Threads.runTest { try await body(harness) }
    } catch {
        try? await harness.shutDown()
        throw error
    }
    try await harness.shutDown()
}

extension ScriptedBackend {
    /// A backend that answers every request of a connection with the same bytes, and records the heads it gets.
    static func answering(_ response: String) throws -> ScriptedBackend {
        let box = Box()
        let backend = try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                box.backend?.record(Array(head.utf8))
                try connection.send(response)
            }
        }
        box.backend = backend
        return backend
    }

    var heads: [String] { received.map { String(decoding: $0, as: UTF8.self) } }

    // Written once, before the first connection can be made.
    private final class Box: @unchecked Sendable {
        weak var backend: ScriptedBackend?
    }
}

/// A port on which nothing listens.
func closedPort() throws -> Int { try LoopbackPort.free() }

func ok(_ body: String, _ fields: String = "") -> String {
    "HTTP/1.1 200 OK\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

extension String {
    /// Without the lines that say the date.
    var withoutDate: String {
        components(separatedBy: "\r\n").filter { !$0.hasPrefix("Date: ") }.joined(separator: "\r\n")
    }

    /// The lines of a head, in lower case, without the first one.
    var fieldLines: [String] {
        let head = self.components(separatedBy: "\r\n\r\n").first ?? self
        return head.components(separatedBy: "\r\n").dropFirst().map { $0.lowercased() }
    }
}

/// Whether the condition comes true within five seconds.
func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    try await Waiting.eventually(within: 5, condition)
}
