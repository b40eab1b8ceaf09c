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
        var sources: [SessionSource] = [.header("X-Session-ID"), .query("sid"), .appCookie("APPID"), .cookie]
        var isSticky = true
        var cookie = CookieAttributes(name: "limpet")
        var passHost = true
        var trusted: [AddressRange] = []
        var service = "app"
        var cookieKeys = [SymmetricKey(data: [UInt8](repeating: 7, count: 32))]
        var exchangeLog: (any ExchangeLog)?
    }

    let port: Int
    let health: HealthTable
    private let group: MultiThreadedEventLoopGroup
    private let worker: NIOLoopBound<Worker>
    private let listener: any Channel

    static let key = FingerprintKey(k0: 1, k1: 2)

    init(backends: [Int], options: Options = Options()) async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let membership = try Membership(
            backends.indices.map { ("b\($0)", UInt16(1), false) }, key: Self.key)
        health = HealthTable(count: backends.count)
        let service = Service(
            name: options.service,
            backends: backends.enumerated().map { Backend(name: "b\($0.offset)", host: "127.0.0.1", port: $0.element) },
            membership: membership, health: health, sticky: options.isSticky ? Self.sticky(options) : nil,
            passHostHeader: options.passHost)
        let routes = RouteTable([Router(name: "all", rule: try Rule("PathPrefix(`/`)"), entryPoints: [0])])
        let snapshot = Snapshot(
            routes: routes, serviceOfRoute: [0], routerNames: ["all"], services: [service],
            cookieKeys: options.cookieKeys)
        let limits = options.limits
        let exchangeLog = options.exchangeLog
        worker = try await loop.submit {
            let store = MemoryStore(records: MemoryRecords(capacity: 1000, seed: 1), eventLoop: loop)
            let worker = Worker(
                loop: loop, entryPoints: 1, snapshot: snapshot, store: store, cache: BindingCache(entries: 1000),
                coherence: .alone(),
                limits: limits,
                replicaName: "r1", exchangeLog: exchangeLog,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            worker.start()
            return NIOLoopBound(worker, eventLoop: loop)
        }.get()
        let entryPoint = EntryPoint(name: "web", index: 0, trustedPeers: options.trusted)
        listener = try await Listener.bootstrap(
            entryPoint: entryPoint, group: group, workers: WorkerDirectory([worker]),
            gate: ConnectionGate(limit: limits.clientConnections)
        ).bind(host: "127.0.0.1", port: 0).get()
        port = listener.localAddress?.port ?? 0
    }

    private static func sticky(_ options: Options) -> Sticky {
        func scope(_ source: SessionSource) -> FingerprintScope {
            FingerprintScope(key: key, service: options.service, source: source)
        }
        let sources = options.sources.map { source -> Sticky.Source in
            switch source {
            case .header(let name): .header(name.lowercased(), scope(source))
            case .query(let name): .query(name, scope(source))
            case .appCookie(let name): .appCookie(name, scope(source))
            case .clientAddress: .clientAddress(ipv4Prefix: 32, ipv6Prefix: 64, scope(source))
            case .cookie: .cookie(scope(source))
            }
        }
        return Sticky(
            sources: sources, cookie: options.sources.contains(.cookie) ? options.cookie : nil,
            settings: AffinitySettings(idleTimeout: 60_000), renewal: CookieRenewal(idleTimeout: 60_000))
    }

    func connect() throws -> TCPSocket { try TCPSocket(port: port) }

    /// Sends the bytes on a connection of its own and returns all that comes until the proxy closes.
    func exchange(_ request: String) throws -> String {
        let client = try connect()
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

    /// Begins the stop, as SIGTERM does.
    func stop() async throws {
        let worker = worker
        try await listener.close()
        try await worker.eventLoop.submit { worker.value.stop() }.get()
    }

    func shutDown() async throws {
        let worker = worker
        try? await listener.close()
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
        try await body(harness)
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
func closedPort() throws -> Int {
    let backend = try ScriptedBackend { _, _ in }
    backend.close()
    return backend.port
}

func ok(_ body: String, _ fields: String = "") -> String {
    "HTTP/1.1 200 OK\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

extension String {
    /// The lines of a head, in lower case, without the first one.
    var fieldLines: [String] {
        let head = self.components(separatedBy: "\r\n\r\n").first ?? self
        return head.components(separatedBy: "\r\n").dropFirst().map { $0.lowercased() }
    }
}

extension ScriptedBackend {
    /// Set by a script, waited for by a test.
    final class Flag: Sendable {
        private let value = Mutex(false)

        func set() { value.withLock { $0 = true } }

        func isSet(within seconds: Double) -> Bool {
            let end = ContinuousClock.now + .seconds(seconds)
            while ContinuousClock.now < end {
                if value.withLock({ $0 }) { return true }
                usleep(5000)
            }
            return value.withLock { $0 }
        }
    }
}
