import Foundation
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

@Suite("Limits of a service")
struct ServiceLimitsTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\n\r\n"
    private static let limit = TimeAmount.milliseconds(400)
    /// Longer than the limit and a sweep.
    private static let longer: UInt32 = 900_000

    private static func options(_ change: (inout ServiceLimits) -> Void) -> ProxyHarness.Options {
        var options = ProxyHarness.Options()
        change(&options.serviceLimits)
        return options
    }

    /// A backend that answers `/late` late, `/stream` with a piece every 100 ms, `/quiet` with one, and more when the
    /// flag is set, and all else at once.
    private static func backend(_ goesOn: ScriptedBackend.Flag = .init()) throws -> ScriptedBackend {
        try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                if head.contains("/late") { usleep(longer) }
                guard head.contains("/stream") || head.contains("/quiet") else {
                    try connection.send(ok("served"))
                    continue
                }
                try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
                if head.contains("/quiet") { _ = goesOn.isSet(within: 20) }
                for _ in 0..<(head.contains("/stream") ? 40 : 1) {
                    usleep(100_000)
                    try connection.send("1\r\nx\r\n")
                }
                try connection.send("0\r\n\r\n")
            }
        }
    }

    private static func path(_ path: String) -> String { get.replacingOccurrences(of: "GET /", with: "GET \(path)") }

    @Test("by default bound no silence of a backend, neither before its response nor within")
    func silence() async throws {
        let goesOn = ScriptedBackend.Flag()
        let backend = try Self.backend(goesOn)
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.limits.stallTimeout = .milliseconds(300)
        options.entryPoint.bodyGapTimeout = .milliseconds(300)
        options.entryPoint.headTimeout = .milliseconds(300)
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try proxy.connect()
            try client.send(Self.path("/late"))
            try #expect(client.receive(until: "served").hasPrefix("HTTP/1.1 200 OK\r\n"))
            try client.send(Self.path("/quiet"))
            _ = try client.receive(until: "1\r\nx\r\n")
            usleep(Self.longer)
            goesOn.set()
            try #expect(client.receive(until: "0\r\n\r\n") == "1\r\nx\r\n0\r\n\r\n")
        }
    }

    @Test("a backend that has begun its response, and takes no more of its request, is cut after a minute all the same")
    func stalledUpload() async throws {
        let isCut = ScriptedBackend.Flag()
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            // The upload has come to rest by then.
            usleep(300_000)
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
            _ = isCut.isSet(within: 20)
        }
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.limits.stallTimeout = .milliseconds(600)
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try proxy.connect()
            Threads.detach {
                try? client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n")
                try? client.send([UInt8](repeating: 0, count: 50_000_000))
            }
            _ = try client.receive(until: "\r\n\r\nx")
            // The end, or a reset.
            while let piece = try? client.receive(), !piece.isEmpty {}
            try await #expect(
                eventually { try await proxy.counters().services["app"]?.failures == [.responseStalled: 1] })
            isCut.set()
        }
    }

    @Test("responseHead and request: a response that is too late is 504")
    func late() async throws {
        let changes: [(inout ServiceLimits) -> Void] = [
            { $0.exchange.responseHead = Self.limit }, { $0.exchange.request = Self.limit },
        ]
        for change in changes {
            let backend = try Self.backend()
            defer { backend.close() }
            try await withProxy(to: [backend.port], Self.options(change)) { proxy in
                let client = try proxy.connect()
                try client.send(Self.path("/late"))
                try #expect(
                    client.receive(until: "504 Gateway Timeout\n").hasPrefix("HTTP/1.1 504 Gateway Timeout\r\n"))
                try client.send(Self.get)
                try #expect(client.receive(until: "served").hasPrefix("HTTP/1.1 200 OK\r\n"), "the next has its own")
            }
        }
    }

    @Test("responseGap cuts a silent response and none that moves; request cuts that, too")
    func gap() async throws {
        let backend = try Self.backend()
        defer { backend.close() }
        // Shorter than the whole stream, and longer than a busy machine stalls between two pieces.
        let limit = TimeAmount.seconds(2)
        try await withProxy(to: [backend.port], Self.options { $0.exchange.responseGap = limit }) { proxy in
            let client = try proxy.connect()
            try client.send(Self.path("/stream"))
            try #expect(client.receive(until: "0\r\n\r\n").components(separatedBy: "x").count == 42)
            try client.send(Self.path("/quiet"))
            let cut = String(decoding: try client.receiveAll(), as: UTF8.self)
            #expect(cut.hasSuffix("\r\n\r\n1\r\nx\r\n"))
        }
        try await withProxy(to: [backend.port], Self.options { $0.exchange.request = limit }) { proxy in
            let cut = try proxy.exchange(Self.path("/stream"))
            #expect(cut.contains("1\r\nx\r\n1\r\nx\r\n") && !cut.hasSuffix("0\r\n\r\n"))
        }
    }

    @Test("that change count for new requests; those under way keep theirs, and connections stay")
    func reload() async throws {
        let goesOn = ScriptedBackend.Flag()
        let backend = try Self.backend(goesOn)
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let (old, new) = (try proxy.connect(), try proxy.connect())
            for client in [old, new] {
                try client.send(Self.get)
                _ = try client.receive(until: "served")
            }
            try old.send(Self.path("/quiet"))
            _ = try old.receive(until: "1\r\nx\r\n")
            var limited = Described(backends: [.init("b0", backend.port)])
            limited.limits = ServiceLimits()
            limited.limits?.exchange.responseHead = Self.limit
            limited.limits?.exchange.responseGap = Self.limit
            try await proxy.apply(limited)
            try new.send(Self.get)
            _ = try new.receive(until: "served")
            #expect(backend.connectionCount == 2, "the pool was not kept")
            try new.send(Self.path("/late"))
            try #expect(new.receive(until: "504 Gateway Timeout\n").hasPrefix("HTTP/1.1 504 "))
            goesOn.set()
            usleep(Self.longer)
            try #expect(old.receive(until: "0\r\n\r\n") == "1\r\nx\r\n0\r\n\r\n")
        }
    }

    @Test("keep so many idle connections, for so long; a lower number closes the surplus")
    func idle() async throws {
        let backend = try Self.backend()
        defer { backend.close() }
        let options = Self.options { ($0.pool.idleConnections, $0.pool.idleTimeout) = (2, Self.limit) }
        try await withProxy(to: [backend.port], options) { proxy in
            func openAndIdle(_ count: Int) async throws -> Bool {
                try await eventually {
                    let counters = try await proxy.counters()
                    return counters.requestsInFlight == 0 && counters.backendConnections == count
                }
            }
            func ask(_ count: Int) throws {
                let clients = try (0..<count).map { _ in try proxy.connect() }
                for client in clients { try client.send(Self.path("/late")) }
                for client in clients { _ = try client.receive(until: "served") }
            }
            try ask(3)
            try await #expect(openAndIdle(2))
            try await #expect(openAndIdle(0), "an idle connection stays")
            var fewer = Described(backends: [.init("b0", backend.port)])
            fewer.limits = ServiceLimits()
            try await proxy.apply(fewer)
            try ask(3)
            try await #expect(openAndIdle(3))
            fewer.limits?.pool.idleConnections = 1
            try await proxy.apply(fewer)
            try await #expect(openAndIdle(1))
            try #expect(proxy.exchange(Self.get + "GET / HTTP/1.0\r\n\r\n").contains("served"))
        }
    }

    @Test("do not bound a peer that takes nothing of what is sent: the replica does", arguments: [false, true])
    func stall(ofBackend: Bool) async throws {
        let body = [UInt8](repeating: 120, count: 1 << 20)
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            if ofBackend { return _ = usleep(5_000_000) }
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 268435456\r\n\r\n")
            for _ in 0..<256 { try connection.send(body) }
        }
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.limits.stallTimeout = Self.limit
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try proxy.connect()
            guard ofBackend else {
                try client.send(Self.get)
                try await #expect(eventually { try await proxy.counters().services["app"]?.count(status: 200) == 1 })
                return
            }
            try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 268435456\r\n\r\n")
            let sender = Task { try await Threads.run { while true { try client.send(body) } } }
            try await #expect(eventually { try await proxy.counters().services["app"]?.count(status: 504) == 1 })
            client.close()
            _ = await sender.result
        }
    }
}

extension ServiceCounters {
    fileprivate func count(status wanted: Int) -> UInt64 {
        var sum: UInt64 = 0
        forEach { _, status, count in if status == wanted { sum += count } }
        return sum
    }
}
