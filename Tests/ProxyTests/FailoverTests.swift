import Affinity
import Foundation
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

@Suite("A service with a fallback")
struct FailoverTests {
    private static func request(_ method: String = "GET", _ fields: String = "") -> String {
        "\(method) / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(fields)\r\n"
    }

    /// `app` fails over from `main` to `spare`, each with one backend.
    private static func family(
        _ main: AnsweringInTurn, _ spare: AnsweringInTurn, statuses: [ClosedRange<Int>] = [], isSticky: Bool = false
    ) -> [Described] {
        [
            Described(name: "app", main: "main", fallback: "spare", statuses: statuses),
            Described(name: "main", backends: [.init("m", main.port)], isSticky: isSticky),
            Described(name: "spare", backends: [.init("s", spare.port)], isSticky: isSticky),
        ]
    }

    private static func withFamily(
        statuses: [ClosedRange<Int>] = [], isSticky: Bool = false, main: [AnsweringInTurn.Step] = [.status(200)],
        _ options: ProxyHarness.Options = .init(),
        _ body:
            @Sendable @escaping (ProxyHarness, _ main: AnsweringInTurn, _ spare: AnsweringInTurn) async throws ->
            Void
    ) async throws {
        let main = try AnsweringInTurn("main", main)
        let spare = try AnsweringInTurn("spare", [.status(200)])
        try await withProxy(to: [], options) { proxy in
            try await proxy.apply(Self.family(main, spare, statuses: statuses, isSticky: isSticky))
            try await body(proxy, main, spare)
        }
    }

    private static func mark(_ proxy: ProxyHarness, _ service: Int, down: Bool) {
        let health = proxy.current[service].health
        _ = down ? health.markDown(0, .failing) : health.markUp(0, .failing)
    }

    @Test("Uses it while the main service is down, and no longer")
    func down() async throws {
        try await Self.withFamily { proxy, main, spare in
            try #expect(proxy.exchange(Self.request()).hasSuffix("main"))
            Self.mark(proxy, 1, down: true)
            for _ in 0..<3 { try #expect(proxy.exchange(Self.request("POST")).hasSuffix("spare")) }
            Self.mark(proxy, 1, down: false)
            try #expect(proxy.exchange(Self.request()).hasSuffix("main"))
            #expect(main.requestCount == 2 && spare.requestCount == 3)
            try await #expect(proxy.counters().services["app"]?.retries.fallbacks == 3)
            Self.mark(proxy, 1, down: true)
            Self.mark(proxy, 2, down: true)
            try #expect(proxy.exchange(Self.request()).hasPrefix("HTTP/1.1 503 "))
        }
    }

    @Test("Uses it when the main service's backend turns out to be out of reach, with the same request")
    func unreachable() async throws {
        let spare = try AnsweringInTurn("spare", [.status(200)])
        let dead = try closedPort()
        try await withProxy(to: []) { proxy in
            try await proxy.apply([
                Described(name: "app", main: "main", fallback: "spare"),
                Described(name: "main", backends: [.init("m", dead)]),
                Described(name: "spare", backends: [.init("s", spare.port)]),
            ])
            try #expect(proxy.exchange(Self.request("POST")).hasSuffix("spare"))
        }
    }

    @Test("Keeps the sessions of the main service for its return")
    func sessions() async throws {
        let backends = try ["m0", "m1", "s0"].map { try AnsweringInTurn($0, [.status(200)]) }
        try await withProxy(to: []) { proxy in
            try await proxy.apply([
                Described(name: "app", main: "main", fallback: "spare"),
                Described(
                    name: "main", backends: [.init("m0", backends[0].port), .init("m1", backends[1].port)]),
                Described(name: "spare", backends: [.init("s0", backends[2].port)]),
            ])
            let sessions = (0..<20).map { "X-Session-ID: \($0)\r\n" }
            let before = try sessions.map { try proxy.exchange(Self.request("GET", $0)).suffix(2) }
            #expect(Set(before) == ["m0", "m1"])
            let health = proxy.current[1].health
            for index in 0..<2 { health.markDown(index, .failing) }
            for session in sessions { try #expect(proxy.exchange(Self.request("GET", session)).hasSuffix("s0")) }
            for index in 0..<2 { health.markUp(index, .failing) }
            for (session, backend) in zip(sessions, before) {
                try #expect(proxy.exchange(Self.request("GET", session)).suffix(2) == backend)
            }
        }
    }

    @Test("Sends a request to it whose response has a status of the list, if it may be sent again")
    func statuses() async throws {
        try await Self.withFamily(statuses: [500...504], main: [.status(500)]) { proxy, main, spare in
            let response = try proxy.exchange(Self.request())
            #expect(response.hasPrefix("HTTP/1.1 200 ") && response.hasSuffix("spare"))
            #expect(response.components(separatedBy: "attempt=").count == 2, "nothing of the main service's response")
            try #expect(proxy.exchange(Self.request("POST")).hasPrefix("HTTP/1.1 500 "))
            let body = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
            try #expect(proxy.exchange(body).hasPrefix("HTTP/1.1 500 "))
            #expect(main.requestCount == 3 && spare.requestCount == 1)
            main.answers([.status(404)])
            try #expect(proxy.exchange(Self.request()).hasPrefix("HTTP/1.1 404 "), "not of the list")
            let inFlight = try await proxy.onLoop { worker in
                worker.table.services.flatMap { service in
                    service.description.membership.backends.indices.map { service.affinity.inFlight[$0] }
                }
            }
            #expect(inFlight == [0, 0, 0, 0])
        }
    }

    @Test("Passes on the response of the one that answered last, and of the main service while the other is down")
    func lastAnswer() async throws {
        try await Self.withFamily(statuses: [503...503], main: [.status(503)]) { proxy, main, spare in
            spare.answers([.status(503)])
            let response = try proxy.exchange(Self.request())
            #expect(response.hasPrefix("HTTP/1.1 503 ") && response.hasSuffix("spare"))
            #expect(main.requestCount == 1 && spare.requestCount == 1)
            Self.mark(proxy, 2, down: true)
            try #expect(proxy.exchange(Self.request()).hasSuffix("main"))
            #expect(spare.requestCount == 1)
        }
    }

    @Test("Treats an answer that the main service did not give as the status that Limpet would give")
    func ownAnswers() async throws {
        let released = ScriptedBackend.Flag()
        var options = ProxyHarness.Options()
        options.serviceLimits.exchange.responseHead = .seconds(1)
        try await Self.withFamily(statuses: [502...504], main: [.wait(released)], options) { proxy, main, spare in
            try #expect(proxy.exchange(Self.request()).hasSuffix("spare"), "504")
            main.answers([.close])
            try #expect(proxy.exchange(Self.request()).hasSuffix("spare"), "502")
            #expect(main.requestCount == 2, "lost, and sent once more before")
            main.answers([.bytes("HTTP/1.1 200 OK\r\nBad Field: x\r\n\r\n")])
            try #expect(proxy.exchange(Self.request()).hasSuffix("spare"), "malformed")
            #expect(spare.requestCount == 3)
        }
        released.set()
    }

    @Test("Is retried by its router only when the fallback has failed too")
    func withRetries() async throws {
        var options = ProxyHarness.Options()
        options.middlewares = [.retry(Retry(attempts: 2, statuses: [503...503]))]
        try await Self.withFamily(statuses: [503...503], main: [.status(503)], options) { proxy, main, spare in
            spare.answers([.status(503), .status(200)])
            try #expect(proxy.exchange(Self.request()).hasSuffix("spare"))
            #expect(main.requestCount == 1 && spare.requestCount == 2)
        }
    }

    @Test("Takes its share of a weighted service by its fallback")
    func belowWeighted() async throws {
        let main = try AnsweringInTurn("main", [.status(200)])
        let spare = try AnsweringInTurn("spare", [.status(200)])
        let other = try AnsweringInTurn("other", [.status(200)])
        try await withProxy(to: []) { proxy in
            try await proxy.apply([
                Described(name: "app", children: [("pair", 3), ("other", 1)], isSticky: false),
                Described(name: "pair", main: "main", fallback: "spare"),
                Described(name: "main", backends: [.init("m", main.port)], isSticky: false),
                Described(name: "spare", backends: [.init("s", spare.port)], isSticky: false),
                Described(name: "other", backends: [.init("o", other.port)], isSticky: false),
            ])
            Self.mark(proxy, 2, down: true)
            for _ in 0..<8 { _ = try proxy.exchange(Self.request()) }
            #expect(main.requestCount == 0 && spare.requestCount == 6 && other.requestCount == 2)
        }
    }

    @Test("Takes the place of a weighted service, and the reverse, while requests are under way")
    func replaced() async throws {
        try await Self.withFamily { proxy, main, spare in
            let family = Self.family(main, spare)
            var weighted = family
            weighted[0] = Described(name: "app", children: [("main", 0), ("spare", 1)], isSticky: false)
            for _ in 0..<3 {
                try await proxy.apply(weighted)
                try #expect(proxy.exchange(Self.request()).hasSuffix("spare"))
                try await proxy.apply(family)
                try #expect(proxy.exchange(Self.request()).hasSuffix("main"))
            }
        }
    }
}
