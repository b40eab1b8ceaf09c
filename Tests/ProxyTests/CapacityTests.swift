import Affinity
import Foundation
import LimpetTestKit
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Proxy

@Suite("A backend at its limit of requests")
struct CapacityTests {
    private static func get(_ session: String, _ path: String = "/") -> String {
        "GET \(path) HTTP/1.1\r\nHost: h\r\nX-Session-ID: \(session)\r\n\r\n"
    }

    private static func options(_ change: (inout PoolLimits) -> Void) -> ProxyHarness.Options {
        var options = ProxyHarness.Options()
        options.serviceLimits.pool.maxRequests = 1
        change(&options.serviceLimits.pool)
        return options
    }

    /// A backend that answers `name` and the path; `/held` only when the flag is set.
    private static func backend(_ name: String, _ flag: ScriptedBackend.Flag) throws -> ScriptedBackend {
        try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                let path = head.split(separator: " ")[1]
                if path == "/held", !flag.isSet(within: 20) { return }
                try connection.send(ok("\(name)\(path);"))
            }
        }
    }

    private static func counts(_ proxy: ProxyHarness, _ backend: Int = 0) -> BackendCapacity.Counts {
        proxy.health.backends[backend].capacity.counts
    }

    @Test("serves the requests of its sessions one after the other, in the order in which they came")
    func order() async throws {
        let flag = ScriptedBackend.Flag()
        let backend = try Self.backend("a", flag)
        defer { backend.close() }
        try await withProxy(to: [backend.port], Self.options { _ in }) { proxy in
            let clients = try (0..<4).map { _ in try proxy.connect() }
            for (index, client) in clients.enumerated() {
                try client.send(Self.get("s", index == 0 ? "/held" : "/\(index)"))
                try await #expect(
                    eventually { Self.counts(proxy) == .init(underWay: 1, waiting: index, waited: UInt64(index)) })
            }
            // One that leaves is not waited for.
            clients[2].reset()
            try await #expect(eventually { Self.counts(proxy).waiting == 2 })
            flag.set()
            for index in [0, 1, 3] { _ = try clients[index].receive(until: "a/\(index == 0 ? "held" : "\(index)");") }
            try await #expect(eventually { Self.counts(proxy).underWay == 0 })
            #expect(backend.connectionCount == 1)
        }
    }

    @Test("and with a full queue or after its time: the request is detoured, and the session stays", arguments: [0, 9])
    func detour(queueSize: Int) async throws {
        let flag = ScriptedBackend.Flag()
        let backends = try ["a", "b"].map { try Self.backend($0, flag) }
        defer { for backend in backends { backend.close() } }
        let options = Self.options { ($0.queueSize, $0.queueTimeout) = (queueSize, .milliseconds(300)) }
        try await withProxy(to: backends.map(\.port), options) { proxy in
            let client = try proxy.connect()
            try client.send(Self.get("s"))
            let home = try client.receive(until: ";").suffix(3)
            let held = try proxy.connect()
            try held.send(Self.get("s", "/held"))
            try await #expect(eventually { (0..<2).contains { Self.counts(proxy, $0).underWay == 1 } })
            try client.send(Self.get("s"))
            try #expect(client.receive(until: ";").suffix(3) == (home == "a/;" ? "b/;" : "a/;"))
            flag.set()
            _ = try held.receive(until: "/held;")
            try client.send(Self.get("s"))
            try #expect(client.receive(until: ";").suffix(3) == home, "the session moved")
            try await #expect(
                proxy.counters().services["app"]?.provenances == [.claimed: 1, .cached: 2, .detoured: 1])
        }
    }

    @Test("and the only one, with a full queue or after its time: 503, and when to try again", arguments: [0, 9])
    func refused(queueSize: Int) async throws {
        let flag = ScriptedBackend.Flag()
        let backend = try Self.backend("a", flag)
        defer { backend.close() }
        let options = Self.options { ($0.queueSize, $0.queueTimeout) = (queueSize, .milliseconds(300)) }
        try await withProxy(to: [backend.port], options) { proxy in
            let held = try proxy.connect()
            try held.send(Self.get("s", "/held"))
            try await #expect(eventually { Self.counts(proxy).underWay == 1 })
            let client = try proxy.connect()
            try client.send(Self.get("s"))
            let refusal = try client.receive(until: "503 Service Unavailable\n")
            #expect(refusal.hasPrefix("HTTP/1.1 503 ") && refusal.contains("Retry-After: 1\r\n"))
            flag.set()
            _ = try held.receive(until: "/held;")
            try client.send(Self.get("s"))
            _ = try client.receive(until: "a/;")
            #expect(Self.counts(proxy).underWay == 0 || Self.counts(proxy).underWay == 1)
        }
    }

    @Test("does not lift what bounds a request as a whole: one that waited, and then finds nothing but silence, is 504")
    func boundAfterwards() async throws {
        let flag = ScriptedBackend.Flag()
        let backends = try ["a", "b"].map { name in
            try ScriptedBackend { connection, _ in
                while true {
                    let head = try connection.receive(until: "\r\n\r\n")
                    if head.contains("/silent") || head.contains("/held") { _ = flag.isSet(within: 20) }
                    try connection.send(ok("\(name);"))
                }
            }
        }
        defer { for backend in backends { backend.close() } }
        var options = Self.options { $0.queueTimeout = .milliseconds(200) }
        options.serviceLimits.exchange.request = .milliseconds(1500)
        try await withProxy(to: backends.map(\.port), options) { proxy in
            let client = try proxy.connect()
            try client.send(Self.get("s"))
            _ = try client.receive(until: ";")
            let held = try proxy.connect()
            try held.send(Self.get("s", "/held"))
            try await #expect(eventually { (0..<2).contains { Self.counts(proxy, $0).underWay == 1 } })
            try client.send(Self.get("s", "/silent"))
            try #expect(client.receive(until: "Gateway Timeout\n").hasPrefix("HTTP/1.1 504 "))
            flag.set()
        }
    }

    @Test("is left by a reload that takes the limit away: those that wait go on")
    func unlimited() async throws {
        let flag = ScriptedBackend.Flag()
        let backend = try Self.backend("a", flag)
        defer { backend.close() }
        try await withProxy(to: [backend.port], Self.options { _ in }) { proxy in
            let (held, client) = (try proxy.connect(), try proxy.connect())
            try held.send(Self.get("s", "/held"))
            try await #expect(eventually { Self.counts(proxy).underWay == 1 })
            try client.send(Self.get("s"))
            try await #expect(eventually { Self.counts(proxy).waiting == 1 })
            var unlimited = Described(backends: [.init("b0", backend.port)])
            unlimited.limits = ServiceLimits()
            try await proxy.apply(unlimited)
            _ = try client.receive(until: "a/;")
            flag.set()
            _ = try held.receive(until: "/held;")
            try await #expect(eventually { Self.counts(proxy).underWay == 0 })
        }
    }

    /// A request that takes a place, and gives it back a turn later.
    private final class Request: CapacityWaiter {
        private var hold = CapacityHold()
        private let ended: () -> Void

        init(_ ended: @escaping () -> Void) { self.ended = ended }

        func begin(_ pool: BackendPool) {
            switch hold.enter(pool, for: self) {
            case .admitted: goOn(pool)
            case .waits: break
            case .full: Issue.record("the queue is full")
            }
        }

        func capacityGranted(at pool: BackendPool) {
            hold.granted(at: pool)
            goOn(pool)
        }

        private func goOn(_ pool: BackendPool) {
            let bound = NIOLoopBound(self, eventLoop: pool.eventLoop)
            pool.eventLoop.execute {
                bound.value.hold.leave()
                bound.value.ended()
            }
        }
    }

    @Test("of two event loops: each request of both is served, and no more than the limit at once")
    func loops() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let state = BackendState()
        let served = Counter()
        let requests = 3000
        var limits = ServiceLimits()
        (limits.pool.maxRequests, limits.pool.queueSize) = (2, .max)
        let futures = (0..<2).map { _ in
            let loop = group.next()
            return loop.submit { [limits] in
                let pool = BackendPool(
                    backend: Backend(name: "b", host: "127.0.0.1", port: 1), hash: BackendHash(bits: 1), state: state,
                    limits: limits, loop: LoopOfItsOwn.context(on: loop))
                for _ in 0..<requests {
                    Request {
                        served.add(1)
                        #expect(state.capacity.counts.underWay <= 2)
                    }.begin(pool)
                }
            }
        }
        for future in futures { try await future.get() }
        try await #expect(Waiting.eventually(within: 20) { served.value == 2 * requests })
        #expect(state.capacity.counts.underWay == 0 && state.capacity.counts.waiting == 0)
        try await group.shutdownGracefully()
    }
}

extension ServiceCounters {
    fileprivate var provenances: [Provenance: UInt64] {
        var counts: [Provenance: UInt64] = [:]
        forEach { provenance, _, count in if let provenance { counts[provenance, default: 0] += count } }
        return counts
    }
}
