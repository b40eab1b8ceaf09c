import Affinity
import Foundation
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

@Suite("Sticky sessions, as users of Traefik know them")
struct StickyBehaviourTests {
    private static func request(_ fields: String = "", method: String = "GET") -> String {
        "\(method) / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(fields)\r\n"
    }

    private static func cookie(_ response: String) -> String? {
        response.components(separatedBy: "\r\n").first { $0.hasPrefix("Set-Cookie: limpet=") }
            .map { String($0.dropFirst("Set-Cookie: ".count).prefix { $0 != ";" }) }
    }

    /// That of a new session which one of a few backends serves.
    private static func cookie(of backend: String, _ proxy: ProxyHarness) throws -> String {
        for _ in 0..<100 {
            let response = try proxy.exchange(request())
            if response.hasSuffix(backend) { return try #require(cookie(response)) }
        }
        throw Unserved()
    }

    private struct Unserved: Error {}

    private static func plain(_ ports: [Int]) -> Described {
        Described(backends: ports.enumerated().map { .init("b\($0.offset)", $0.element) })
    }

    private static func withBackends(
        _ count: Int = 3, as describe: ([Int]) -> Described,
        _ body: (ProxyHarness, [ScriptedBackend]) async throws -> Void
    ) async throws {
        let backends = try (0..<count).map { try ScriptedBackend.answering(ok("b\($0)")) }
        defer { backends.forEach { $0.close() } }
        try await withProxy(to: []) { proxy in
            try await proxy.apply(describe(backends.map(\.port)))
            try await body(proxy, backends)
        }
    }

    @Test(
        "a cookie leads to the same backend by every strategy, whatever the weights, and names none",
        arguments: [
            PlacementStrategy.wrr, .p2c, .hrw,
        ])
    func strategies(_ strategy: PlacementStrategy) async throws {
        func describe(_ ports: [Int]) -> Described {
            var described = Described(
                backends: [
                    .init("http://backend-0", ports[0], weight: 1), .init("http://backend-1", ports[1], weight: 2),
                ])
            described.strategy = strategy
            return described
        }
        try await Self.withBackends(2, as: describe) { proxy, _ in
            for _ in 0..<6 {
                let first = try proxy.exchange(Self.request())
                let cookie = try #require(Self.cookie(first))
                #expect(!cookie.contains("://") && !cookie.contains("backend"))
                for _ in 0..<3 {
                    let next = try proxy.exchange(Self.request("Cookie: \(cookie)\r\n"))
                    #expect(next.suffix(2) == first.suffix(2) && Self.cookie(next) == nil)
                }
            }
        }
    }

    @Test("a draining backend keeps its sessions and is given none")
    func draining() async throws {
        try await Self.withBackends(as: Self.plain) {
            proxy, backends in
            let ports = backends.map(\.port)
            let cookie = try Self.cookie(of: "b0", proxy)
            try await proxy.apply(
                Described(backends: [
                    .init("b0", ports[0], isDraining: true), .init("b1", ports[1]), .init("b2", ports[2]),
                ]))
            for _ in 0..<4 {
                #expect(try proxy.exchange(Self.request("Cookie: \(cookie)\r\n")).hasSuffix("b0"))
                #expect(try !proxy.exchange(Self.request()).hasSuffix("b0"))
            }
        }
    }

    @Test("where all backends drain, they are better than none")
    func allDraining() async throws {
        let describe = { (ports: [Int]) in
            Described(backends: ports.enumerated().map { .init("b\($0.offset)", $0.element, isDraining: true) })
        }
        try await Self.withBackends(as: describe) { proxy, _ in
            let responses = try (0..<4).map { _ in try proxy.exchange(Self.request()) }
            #expect(responses.allSatisfy { $0.hasPrefix("HTTP/1.1 200 ") })
        }
    }

    @Test("a session whose backend is down moves, is told so by a cookie, and stays when the backend is back")
    func movesAndStays() async throws {
        let first = try ScriptedBackend.answering(ok("b0"))
        let second = try ScriptedBackend.answering(ok("b1"))
        defer { second.close() }
        try await withProxy(to: [first.port, second.port]) { proxy in
            let cookie = try Self.cookie(of: "b0", proxy)
            // The session is known from its second request on.
            _ = try proxy.exchange(Self.request("Cookie: \(cookie)\r\n"))
            first.close()
            try await proxy.onLoop { worker in
                _ = worker.services[0].description.health.markDown(0)
            }
            let moved = try proxy.exchange(Self.request("Cookie: \(cookie)\r\n"))
            let renewed = try #require(Self.cookie(moved))
            #expect(moved.hasSuffix("b1"))
            try await proxy.onLoop { worker in
                _ = worker.services[0].description.health.markUp(0)
            }
            for known in [renewed, cookie] {
                #expect(try proxy.exchange(Self.request("Cookie: \(known)\r\n")).hasSuffix("b1"))
            }
        }
    }

    @Test("an error of the application carries the cookie and moves nobody; an error of ours carries none")
    func errors() async throws {
        let failing = try ScriptedBackend.answering("HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nb0")
        let garbage = try ScriptedBackend.answering("nonsense\r\n\r\n")
        let silent = try ScriptedBackend { connection, _ in _ = try connection.receiveAll() }
        defer { [failing, garbage, silent].forEach { $0.close() } }
        try await withProxy(to: [failing.port]) { proxy in
            let first = try proxy.exchange(Self.request())
            let cookie = try #require(Self.cookie(first))
            #expect(first.hasPrefix("HTTP/1.1 500 "))
            for _ in 0..<3 {
                let next = try proxy.exchange(Self.request("Cookie: \(cookie)\r\n"))
                #expect(Self.cookie(next) == nil && next.hasSuffix("b0"))
            }
        }
        try await withProxy(to: [garbage.port]) { proxy in
            let response = try proxy.exchange(Self.request())
            #expect(response.hasPrefix("HTTP/1.1 502 ") && Self.cookie(response) == nil)
        }
        var options = ProxyHarness.Options()
        options.serviceLimits.exchange.responseHead = .milliseconds(100)
        try await withProxy(to: [silent.port], options) { proxy in
            let response = try proxy.exchange(Self.request(method: "POST"))
            #expect(response.hasPrefix("HTTP/1.1 504 ") && Self.cookie(response) == nil)
        }
    }

    @Test("a request that is sent again after its backend was lost carries one cookie, of the backend that answered")
    func retried() async throws {
        let dead = try closedPort()
        let backend = try ScriptedBackend.answering(ok("b1"))
        defer { backend.close() }
        try await withProxy(to: [dead, backend.port]) { proxy in
            for _ in 0..<8 {
                let response = try proxy.exchange(Self.request())
                #expect(response.components(separatedBy: "Set-Cookie").count == 2 && response.hasSuffix("b1"))
                let cookie = try #require(Self.cookie(response))
                let next = try proxy.exchange(Self.request("Cookie: \(cookie)\r\n"))
                #expect(next.hasSuffix("b1") && Self.cookie(next) == nil)
            }
        }
    }

    @Test("the backend sees the cookie, its own cookies stay, and nothing is invented for it")
    func transparent() async throws {
        let backend = try ScriptedBackend.answering(ok("b0", "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"))
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let first = try proxy.exchange(Self.request())
            let names = first.components(separatedBy: "\r\n").filter { $0.hasPrefix("Set-Cookie: ") }
                .map { $0.dropFirst(12).prefix { $0 != "=" } }
            #expect(names == ["a", "b", "limpet"])
            let cookie = try #require(Self.cookie(first))
            _ = try proxy.exchange(Self.request("Cookie: x=y; \(cookie)\r\n"))
        }
        #expect(backend.heads.last?.contains("\r\nCookie: x=y; limpet=") ?? false)
        #expect(backend.heads.allSatisfy { !$0.lowercased().contains("user-agent") })
    }

    @Test("of two cookies of one name the authentic one counts, also where it stands in a field of its own")
    func twoCookies() async throws {
        try await Self.withBackends(as: Self.plain) {
            proxy, _ in
            for _ in 0..<6 {
                let first = try proxy.exchange(Self.request())
                let cookie = try #require(Self.cookie(first))
                let next = try proxy.exchange(Self.request("Cookie: limpet=b1\r\nCookie: z=1; \(cookie)\r\n"))
                #expect(next.suffix(2) == first.suffix(2) && Self.cookie(next) == nil)
            }
        }
    }
}
