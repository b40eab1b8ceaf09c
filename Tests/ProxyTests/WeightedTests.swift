import Affinity
import Foundation
import LimpetTestKit
import NIOCore
import Store
import Testing

@testable import Proxy

@Suite("Weighted services")
struct WeightedTests {
    private static func request(_ fields: String = "", _ target: String = "/") -> String {
        "GET \(target) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(fields)\r\n"
    }

    /// Two services of two backends each (a0, a1, b0, b1) behind a weighted one.
    private static func withFamily(
        weights: (UInt16, UInt16) = (1, 1), isSticky: Bool = true, childrenAreSticky: Bool = true,
        ports: ([Int]) throws -> [Int] = { $0 }, sources: [SessionSource] = [.header("X-Session-ID"), .cookie],
        store: (@Sendable (any EventLoop) -> any BindingStore)? = nil,
        _ body: (ProxyHarness, [Described]) async throws -> Void
    ) async throws {
        let backends = try ["a0", "a1", "b0", "b1"].map { try ScriptedBackend.answering(ok($0)) }
        defer { backends.forEach { $0.close() } }
        let ports = try ports(backends.map(\.port))
        var options = ProxyHarness.Options()
        options.sources = sources
        options.store = store
        let family = [
            Described(
                name: "app", children: [("a", weights.0), ("b", weights.1)], isSticky: isSticky, cookie: "lvl1"),
            Described(
                name: "a", backends: [.init("a0", ports[0]), .init("a1", ports[1])], isSticky: childrenAreSticky),
            Described(
                name: "b", backends: [.init("b0", ports[2]), .init("b1", ports[3])], isSticky: childrenAreSticky),
        ]
        try await withProxy(to: [], options) { proxy in
            try await proxy.apply(family)
            try await body(proxy, family)
        }
    }

    /// `name=value` of each cookie that a response gives.
    private static func cookies(_ response: String) -> [String] {
        response.components(separatedBy: "\r\n").filter { $0.hasPrefix("Set-Cookie: ") }
            .map { String($0.dropFirst(12).prefix { $0 != ";" }) }
    }

    private static func cookieField(_ response: String) -> String {
        "Cookie: \(cookies(response).joined(separator: "; "))\r\n"
    }

    @Test("without stickiness are balanced by weight over their children, and these over their backends")
    func balanced() async throws {
        try await Self.withFamily(weights: (3, 1), isSticky: false, childrenAreSticky: false) { proxy, _ in
            var counts: [String: Int] = [:]
            for _ in 0..<40 {
                let response = try proxy.exchange(Self.request())
                counts[String(response.suffix(2)), default: 0] += 1
                #expect(Self.cookies(response).isEmpty)
            }
            #expect(counts == ["a0": 15, "a1": 15, "b0": 5, "b1": 5])
            #expect(try await proxy.counters().services["a"] != nil)
        }
    }

    @Test("give a cookie for each level in one response, and keep child and backend by them")
    func cookiePerLevel() async throws {
        try await Self.withFamily { proxy, _ in
            var seen: Set<String> = []
            for _ in 0..<24 {
                let first = try proxy.exchange(Self.request())
                #expect(Self.cookies(first).map { $0.prefix { $0 != "=" } } == ["lvl1", "limpet"])
                seen.insert(String(first.suffix(2)))
                for _ in 0..<2 {
                    let next = try proxy.exchange(Self.request(Self.cookieField(first)))
                    #expect(next.suffix(2) == first.suffix(2))
                    #expect(Self.cookies(next).isEmpty)
                }
            }
            #expect(seen == ["a0", "a1", "b0", "b1"])
        }
    }

    @Test("keep a session that comes by a header on both levels")
    func headerSessions() async throws {
        try await Self.withFamily { proxy, _ in
            for key in 0..<20 {
                let seen = try Set(
                    (0..<3).map { _ in
                        try proxy.exchange(Self.request("X-Session-ID: \(key)\r\n")).suffix(2)
                    })
                #expect(seen.count == 1)
            }
        }
    }

    @Test("count a request where it was served")
    func counted() async throws {
        try await Self.withFamily { proxy, _ in
            for _ in 0..<8 { _ = try proxy.exchange(Self.request()) }
            let services = try await proxy.counters().services
            var total: [String: UInt64] = [:]
            for (name, counters) in services {
                counters.forEach { _, _, count in total[name, default: 0] += count }
            }
            #expect(total["app"] == nil)
            #expect((total["a"] ?? 0) + (total["b"] ?? 0) == 8)
        }
    }

    @Test(
        "give new sessions to no child that has nobody for them, and detour those of its sessions that it hands back",
        arguments: [true, false])
    func nobodyForNewSessions(_ isSticky: Bool) async throws {
        try await Self.withFamily(isSticky: isSticky, childrenAreSticky: false) { proxy, family in
            let request = { (key: Int) in Self.request("X-Session-ID: \(key)\r\n") }
            let homes = try (0..<16).map { try proxy.exchange(request($0)).suffix(2).prefix(1) }
            var changed = family
            changed[1].backends[0].weight = 0
            try await proxy.apply(changed)
            try await proxy.onLoop { _ = $0.services[1].description.health.markDown(1) }
            // Of child a only one is up that takes no new sessions, and its requests have none: all of them are new.
            for key in 0..<40 {
                let response = try proxy.exchange(request(key))
                #expect(response.hasPrefix("HTTP/1.1 200 ") && response.suffix(2).hasPrefix("b"))
            }
            try await proxy.onLoop { _ = $0.services[1].description.health.markUp(1) }
            guard isSticky else { return }
            #expect(try (0..<16).map { try proxy.exchange(request($0)).suffix(2).prefix(1) } == homes)
        }
    }

    @Test("try each backend of each child, however many of another child's have failed before")
    func attemptsOfEachChild() async throws {
        let dead = try closedPort()
        try await Self.withFamily(
            weights: (1000, 1), isSticky: false, childrenAreSticky: false, ports: { [dead, dead, dead, $0[3]] }
        ) { (proxy: ProxyHarness, _: [Described]) async throws in
            #expect(try proxy.exchange(Self.request()).hasSuffix("b1"))
        }
    }

    @Test(
        "leave a child whose backends are all down, and move its sessions; one that has any left is kept",
        arguments: [
            true, false,
        ])
    func childDown(_ isSticky: Bool) async throws {
        let dead = try closedPort()
        let swapped: ([Int]) throws -> [Int] = { [dead, dead, $0[2], $0[3]] }
        try await Self.withFamily(isSticky: isSticky, ports: swapped) { proxy, _ in
            for key in 0..<12 {
                let response = try proxy.exchange(Self.request("X-Session-ID: \(key)\r\n"))
                #expect(response.hasPrefix("HTTP/1.1 200 ") && response.dropLast().hasSuffix("b"))
            }
            #expect(try await proxy.onLoop { $0.services[0].description.health.isUp(0) } == false)
        }
        let half: ([Int]) throws -> [Int] = { [dead, $0[1], $0[2], $0[3]] }
        try await Self.withFamily(isSticky: isSticky, ports: half) { proxy, _ in
            let seen = try Set((0..<24).map { try proxy.exchange(Self.request("X-Session-ID: \($0)\r\n")).suffix(2) })
            #expect(seen == ["a1", "b0", "b1"])
            #expect(try await proxy.onLoop { $0.services[0].description.health.isUp(0) })
        }
    }

    @Test("whose children are all down answer 503, without a cookie")
    func allDown() async throws {
        let dead = try closedPort()
        try await Self.withFamily(ports: { _ in [dead, dead, dead, dead] }) { proxy, _ in
            for fields in ["", "X-Session-ID: k\r\n"] {
                let response = try proxy.exchange(Self.request(fields))
                #expect(response.hasPrefix("HTTP/1.1 503 ") && Self.cookies(response).isEmpty)
            }
            #expect(try await proxy.counters().impossible == 0)
        }
    }

    @Test("send a request with a body once, and whole, to the child that is left")
    func bodyMoves() async throws {
        let dead = try closedPort()
        let backend = try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                let body = try connection.receive(until: "the end")
                try connection.send(ok(head.hasPrefix("POST /x HTTP/1.1\r\nHost: h\r\n") ? body : "bad head"))
            }
        }
        defer { backend.close() }
        let port = backend.port
        try await Self.withFamily(ports: { _ in [dead, dead, port, port] }) { proxy, _ in
            for key in 0..<6 {
                let client = try proxy.connect()
                let head =
                    "POST /x HTTP/1.1\r\nHost: h\r\nX-Session-ID: \(key)\r\nContent-Length: 11\r\nConnection: close"
                try client.send(head + "\r\n\r\nand the end")
                let response = String(decoding: try client.receiveAll(), as: UTF8.self)
                #expect(response.hasSuffix("\r\n\r\nand the end"), "\(response)")
            }
        }
    }

    @Test("may be nested deeper, each level with a cookie of its own")
    func nested() async throws {
        try await Self.withFamily { proxy, family in
            let top = Described(name: "top", children: [("app", 1)], cookie: "lvl0")
            try await proxy.apply([top] + family)
            let first = try proxy.exchange(Self.request())
            #expect(Self.cookies(first).map { $0.prefix { $0 != "=" } } == ["lvl0", "lvl1", "limpet"])
            let next = try proxy.exchange(Self.request(Self.cookieField(first)))
            #expect(next.suffix(2) == first.suffix(2) && Self.cookies(next).isEmpty)
        }
    }

    @Test("keep sessions through a reload that changes weights, order and other children")
    func swapped() async throws {
        try await Self.withFamily { proxy, family in
            var homes: [String: Substring] = [:]
            for key in 0..<20 {
                homes["\(key)"] = try proxy.exchange(Self.request("X-Session-ID: \(key)\r\n")).suffix(2)
            }
            let changed = Described(
                name: "app", children: [("b", 5), ("c", 9), ("a", 1)], isSticky: true, cookie: "lvl1")
            let new = Described(name: "c", backends: family[1].backends)
            try await proxy.apply([changed, family[2], new, family[1]])
            for (key, home) in homes {
                #expect(try proxy.exchange(Self.request("X-Session-ID: \(key)\r\n")).suffix(2) == home)
            }
        }
    }

    @Test("keep the sessions of a child that has no backends for a while: others serve them until it has")
    func childEmpty() async throws {
        try await Self.withFamily { proxy, family in
            var homes: [String: Substring] = [:]
            for key in 0..<20 {
                homes["\(key)"] = try proxy.exchange(Self.request("X-Session-ID: \(key)\r\n")).suffix(2)
            }
            #expect(homes.values.contains { $0.hasPrefix("a") })
            try await proxy.apply([family[0], Described(name: "a", backends: []), family[2]])
            for key in homes.keys {
                let response = try proxy.exchange(Self.request("X-Session-ID: \(key)\r\n"))
                #expect(response.hasPrefix("HTTP/1.1 200 ") && response.dropLast().hasSuffix("b"))
            }
            try await proxy.apply(family)
            for (key, home) in homes {
                let response = try proxy.exchange(Self.request("X-Session-ID: \(key)\r\n"))
                #expect(response.dropLast().last == home.first)
            }
        }
    }

    @Test("wait for the store on each level, and a client that goes away meanwhile ends the exchange")
    func heldStore() async throws {
        try await Self.withFamily(store: { HeldStore($0) }) { proxy, _ in
            let gone = try proxy.connect()
            try gone.send(Self.request("X-Session-ID: gone\r\n"))
            let client = try proxy.connect()
            try client.send(Self.request("X-Session-ID: k\r\n"))
            func held() async throws -> Int { try await proxy.onLoop { ($0.store as? HeldStore)?.heldCount ?? 0 } }
            try await #require(eventually { try await held() == 2 })
            gone.reset()
            try await #require(eventually { try await proxy.onLoop { $0.openClients } == 1 })
            try await proxy.onLoop { ($0.store as? HeldStore)?.release() }
            let response = String(decoding: try client.receiveAll(), as: UTF8.self)
            #expect(response.hasPrefix("HTTP/1.1 200 "))
            #expect(try proxy.exchange(Self.request("X-Session-ID: k\r\n")).suffix(2) == response.suffix(2))
            #expect(try await proxy.counters().impossible == 0)
        }
    }
}
