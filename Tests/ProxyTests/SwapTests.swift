import Affinity
import Foundation
import LimpetTestKit
import NIOCore
import Synchronization
import Testing

@testable import Proxy

@Suite("A new configuration while requests are served")
struct SwapTests {
    private static func request(_ key: String, path: String = "/", closes: Bool = false) -> String {
        "GET \(path) HTTP/1.1\r\nHost: h\r\nX-Session-ID: \(key)\r\n\(closes ? "Connection: close\r\n" : "")\r\n"
    }

    /// A key whose session is on the backend of this name.
    private func key(on name: String, _ proxy: ProxyHarness) throws -> String {
        let keys = (0..<200).lazy.map { "k\($0)" }
        return try #require(try keys.first { try proxy.exchange(Self.request($0, closes: true)).hasSuffix(name) })
    }

    @Test("costs no request and no session, whatever else is changed")
    func underTraffic() async throws {
        let backends = try (0..<3).map { try ScriptedBackend.answering(ok("b\($0)")) }
        defer { backends.forEach { $0.close() } }
        let ports = backends.map(\.port)
        try await withProxy(to: ports) { proxy in
            let isOver = ScriptedBackend.Flag()
            async let clients = Threads.run(4) { number -> Int in
                let client = try proxy.connect()
                var homes: [String: String] = [:]
                var served = 0
                repeat {
                    let key = "\(number)-\(served % 40)"
                    try client.send(Self.request(key))
                    let head = try client.receive(until: "\r\n\r\n")
                    let body = String(decoding: try client.receive(upTo: 2), as: UTF8.self)
                    #expect(head.hasPrefix("HTTP/1.1 200") && homes[key, default: body] == body)
                    homes[key] = body
                    served += 1
                } while !isOver.isSet(within: 0)
                return served
            }
            for round in 0..<200 {
                var described = Described(backends: (0..<3).map { .init("b\($0)", ports[$0]) })
                described.backends[round % 3].weight = UInt16(2 + round % 7)
                // One that takes nobody, in a place that shifts the others.
                described.backends.insert(.init("x", ports[0], weight: 0), at: round % 4)
                if round % 2 == 0 { described.backends.reverse() }
                try await proxy.apply(described, Described(name: "other\(round)", backends: []))
            }
            isOver.set()
            let served = try await clients.reduce(0, +)
            let counted = try await proxy.counters().services["app"]?.total
            #expect(counted == UInt64(served) && served > 100)
        }
    }

    @Test("keeps pooled connections to backends whose address is the same, and closes the others")
    func pools() async throws {
        let backends = try (0..<2).map { try ScriptedBackend.answering(ok("b\($0)")) }
        defer { backends.forEach { $0.close() } }
        try await withProxy(to: backends.map(\.port)) { proxy in
            let (first, second) = (try key(on: "b0", proxy), try key(on: "b1", proxy))
            try await #expect(proxy.counters().backendConnections == 2)
            try await proxy.apply(
                Described(backends: [
                    .init("new", backends[0].port), .init("b1", backends[0].port),
                    .init("b0", backends[0].port, weight: 9),
                ]))
            try await #expect(eventually { try await proxy.counters().backendConnections == 1 })
            try #expect(proxy.exchange(Self.request(first, closes: true)).hasSuffix("b0"))
            #expect(backends[0].connectionCount == 1)
            try #expect(
                proxy.exchange(Self.request(second, closes: true)).hasSuffix("b0"), "the name stays, the address moves")
            #expect(backends[0].connectionCount == 2 && backends[1].connectionCount == 1)
        }
    }

    @Test("moves the sessions of a backend that is gone, and no others")
    func removed() async throws {
        let backends = try (0..<3).map { try ScriptedBackend.answering(ok("b\($0)")) }
        defer { backends.forEach { $0.close() } }
        try await withProxy(to: backends.map(\.port)) { proxy in
            var homes: [String: Substring] = [:]
            for number in 0..<30 {
                homes["\(number)"] = try proxy.exchange(Self.request("\(number)", closes: true)).suffix(2)
            }
            try await proxy.apply(
                Described(backends: [.init("b2", backends[2].port), .init("b0", backends[0].port)]))
            for (key, home) in homes {
                let now = try proxy.exchange(Self.request(key, closes: true)).suffix(2)
                #expect(now == home || home == "b1" && now != "b1")
            }
            #expect(homes.values.contains("b1"))
        }
    }

    @Test("knows what is down: it stays down, is probed on, and comes up; at another address it begins as up")
    func health() async throws {
        let good = try ScriptedBackend.answering(ok("good"))
        defer { good.close() }
        let dead = try closedPort()
        try await withProxy(to: [dead, good.port]) { proxy in
            for number in 0..<10 {
                try #expect(proxy.exchange(Self.request("\(number)", closes: true)).hasSuffix("good"))
            }
            #expect(!proxy.health.isUp(0))
            try await proxy.apply(
                Described(backends: [.init("b1", good.port), .init("b0", dead), .init("c", try closedPort())]))
            #expect(proxy.health.isUp(0) && !proxy.health.isUp(1) && proxy.health.isUp(2))
            let back = try ScriptedBackend(port: dead) { _, _ in }
            defer { back.close() }
            try await #expect(eventually { proxy.health.isUp(1) })
            proxy.health.markDown(1)
            try await proxy.apply(Described(backends: [.init("b1", good.port), .init("b0", good.port)]))
            #expect(proxy.health.isUp(1))
        }
    }

    @Test("lets counters go on; those of a service that is gone go with it")
    func counters() async throws {
        let backend = try ScriptedBackend.answering(ok("here"))
        defer { backend.close() }
        let app = Described(backends: [.init("b0", backend.port)])
        let other = Described(name: "other", backends: [.init("b0", backend.port)])
        try await withProxy(to: [backend.port]) { proxy in
            try await proxy.apply(app, other)
            for path in ["/", "/other", "/other"] {
                _ = try proxy.exchange(Self.request("s", path: path, closes: true))
            }
            try await proxy.apply(other, app)
            let counts = try await proxy.counters().services.mapValues(\.total)
            #expect(counts == ["app": 1, "other": 2])
            try await proxy.apply(app)
            _ = try proxy.exchange(Self.request("s", closes: true))
            try await #expect(proxy.counters().services.mapValues(\.total) == ["app": 2])
        }
    }

    @Test("lets a request finish on a backend, and in a service, that is gone", arguments: [false, true])
    func inFlight(isServiceRemoved: Bool) async throws {
        let (taken, released) = (ScriptedBackend.Flag(), ScriptedBackend.Flag())
        let slow = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            taken.set()
            _ = released.isSet(within: 10)
            try connection.send(ok("slow"))
            _ = try connection.receive()
        }
        let other = try ScriptedBackend.answering(ok("other"))
        defer { slow.close(); other.close() }
        try await withProxy(to: [slow.port]) { proxy in
            async let answer = Threads.run { try proxy.exchange(Self.request("s", closes: true)) }
            try await #expect(eventually { taken.isSet(within: 0) })
            try await proxy.apply(
                Described(name: isServiceRemoved ? "else" : "app", backends: [.init("b1", other.port)]))
            released.set()
            try await #expect(answer.hasSuffix("slow"))
            // Given back, it is of no use to anybody.
            try await #expect(eventually { try await proxy.counters().backendConnections == 0 })
            try #expect(proxy.exchange(Self.request("s", closes: true)).hasSuffix("other"))
        }
    }

    @Test("while the store is being asked: the answer is weighed by the new configuration", arguments: [false, true])
    func whileAsking(isServiceRemoved: Bool) async throws {
        let backends = try (0..<2).map { try ScriptedBackend.answering(ok("b\($0)")) }
        defer { backends.forEach { $0.close() } }
        var options = ProxyHarness.Options()
        options.store = { HeldStore($0) }
        try await withProxy(to: [backends[0].port], options) { proxy in
            async let answers = Threads.run(3) { _ in try proxy.exchange(Self.request("s", closes: true)) }
            try await #expect(
                eventually {
                    try await proxy.onLoop { worker in
                        (worker.store as? HeldStore)?.heldCount == 1 && worker.openClients == 3
                    }
                })
            try await proxy.apply(
                Described(name: isServiceRemoved ? "else" : "app", backends: [.init("b1", backends[1].port)]))
            try await proxy.onLoop { worker in (worker.store as? HeldStore)?.release() }
            let expected = isServiceRemoved ? "b0" : "b1"
            for answer in try await answers { #expect(answer.hasSuffix(expected)) }
        }
    }

    @Test("a backend that was down when its service was taken away is probed no more")
    func probesEnd() async throws {
        let port = try closedPort()
        try await withProxy(to: [port]) { proxy in
            _ = try proxy.exchange(Self.request("s", closes: true))
            let health = proxy.health
            #expect(!health.isUp(0))
            try await proxy.apply(Described(name: "else", backends: []))
            let back = try ScriptedBackend(port: port) { _, _ in }
            defer { back.close() }
            #expect(!Waiting.until(within: 2.5) { health.isUp(0) || back.connectionCount > 0 })
        }
    }

    @Test("while connecting: the connection is used if it is made, and the new configuration if it is not")
    func whileConnecting() async throws {
        let backend = try ScriptedBackend.answering(ok("new"))
        defer { backend.close() }
        for isMade in [true, false] {
            let full = try FullListener()
            defer { withExtendedLifetime(full) {} }
            var options = ProxyHarness.Options()
            options.serviceLimits.pool.connectTimeout = isMade ? .seconds(10) : .seconds(1)
            try await withProxy(to: [full.port], options) { proxy in
                async let answer = Threads.run { try proxy.exchange(Self.request("s", closes: true)) }
                let isConnecting = try await eventually {
                    try await proxy.onLoop { $0.services[0].pools[0].inFlight == 1 }
                }
                #expect(isConnecting)
                try await proxy.apply(Described(backends: [.init("b1", backend.port)]))
                if isMade { try await Threads.run { full.answerNext(ok("old")) } }
                try await #expect(answer.hasSuffix(isMade ? "old" : "new"))
                #expect(proxy.health.isUp(0), "what failed is not what is configured now")
            }
        }
    }
}

extension ServiceCounters {
    var total: UInt64 {
        var total: UInt64 = 0
        forEach { _, _, count in total += count }
        return total
    }
}
