import LimpetTestKit
import Testing

@testable import Proxy

@Suite("Requests under way are counted")
struct RequestsInFlightTests {
    private static func get(_ path: String = "/", closes: Bool = false) -> String {
        "GET \(path) HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\n\(closes ? "Connection: close\r\n" : "")\r\n"
    }

    /// A backend whose answers wait until they are released.
    private final class HeldBackend: Sendable {
        let released = ScriptedBackend.Flag()
        let backend: ScriptedBackend

        init() throws {
            backend = try ScriptedBackend { [released] connection, _ in
                while true {
                    _ = try connection.receive(until: "\r\n\r\n")
                    guard released.isSet(within: 20) else { return }
                    try connection.send(ok("held"))
                }
            }
        }
    }

    /// Whether it comes to so many requests in all, and to these at the backends.
    private func come(
        to count: Int, _ backends: [String: [String: Int]], _ proxy: ProxyHarness
    ) async throws -> Bool {
        try await eventually {
            let counters = try await proxy.counters()
            return counters.requestsInFlight == count && counters.backendRequestsInFlight == backends
        }
    }

    @Test("from their heads to the ends of their responses, and at the backends that they go to")
    func answered() async throws {
        let held = try HeldBackend()
        defer { held.backend.close() }
        try await withProxy(to: [held.backend.port]) { proxy in
            try await #expect(come(to: 0, ["app": ["b0": 0]], proxy))
            let clients = try (0..<3).map { _ in try proxy.connect() }
            for (index, client) in clients.enumerated() {
                try client.send(Self.get())
                try await #expect(come(to: index + 1, ["app": ["b0": index + 1]], proxy))
            }
            held.released.set()
            for client in clients { _ = try client.receive(until: "held") }
            try await #expect(come(to: 0, ["app": ["b0": 0]], proxy), "a connection that is open is no request")
        }
    }

    @Test("those whose clients go, and those that no backend gets, end too")
    func unanswered() async throws {
        let held = try HeldBackend()
        defer { held.backend.close() }
        try await withProxy(to: [held.backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send(Self.get())
            try await #expect(come(to: 1, ["app": ["b0": 1]], proxy))
            client.reset()
            try await #expect(come(to: 0, ["app": ["b0": 0]], proxy))
            _ = try proxy.exchange("GET / HTTP/1.1\r\nHost: h\r\nHost: twice\r\nConnection: close\r\n\r\n")
            _ = try proxy.exchange("GET /a/../b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            try await #expect(come(to: 0, ["app": ["b0": 0]], proxy))
        }
    }

    @Test("one that is sent again, or goes to another backend, is one at the backend where it is now")
    func moved() async throws {
        let held = try HeldBackend()
        let sly = try ScriptedBackend { connection, number in
            _ = try connection.receive(until: "\r\n\r\n")
            guard number > 1 else { return }
            _ = held.released.isSet(within: 20)
            try connection.send(ok("again"))
        }
        let dead = try closedPort()
        defer { held.backend.close(); sly.close() }
        try await withProxy(to: [sly.port]) { proxy in
            let client = try proxy.connect()
            try client.send(Self.get(closes: true))
            try await #expect(eventually { sly.connectionCount == 2 })
            try await #expect(come(to: 1, ["app": ["b0": 1]], proxy))
            held.released.set()
            try #expect(String(decoding: client.receiveAll(), as: UTF8.self).hasSuffix("again"))
            try await #expect(come(to: 0, ["app": ["b0": 0]], proxy))
        }
        let other = try HeldBackend()
        defer { other.backend.close() }
        try await withProxy(to: [dead, other.backend.port]) { proxy in
            let clients = try (0..<8).map { _ in try proxy.connect() }
            for (number, client) in clients.enumerated() {
                try client.send("GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: \(number)\r\nConnection: close\r\n\r\n")
            }
            try await #expect(come(to: 8, ["app": ["b0": 0, "b1": 8]], proxy))
            other.released.set()
            for client in clients { _ = try client.receiveAll() }
            try await #expect(come(to: 0, ["app": ["b0": 0, "b1": 0]], proxy))
        }
    }

    @Test("of a weighted service at the backend of its child")
    func weighted() async throws {
        let held = try HeldBackend()
        defer { held.backend.close() }
        try await withProxy(to: []) { proxy in
            try await proxy.apply(
                Described(name: "app", children: [("a", 1)]),
                Described(name: "a", backends: [.init("a0", held.backend.port)]))
            let client = try proxy.connect()
            try client.send(Self.get())
            try await #expect(come(to: 1, ["app": [:], "a": ["a0": 1]], proxy))
            held.released.set()
            _ = try client.receive(until: "held")
            try await #expect(come(to: 0, ["app": [:], "a": ["a0": 0]], proxy))
        }
    }

    @Test("at a backend that is taken out of the configuration they count in all, until they end")
    func removed() async throws {
        let held = try HeldBackend()
        defer { held.backend.close() }
        try await withProxy(to: [held.backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send(Self.get())
            try await #expect(come(to: 1, ["app": ["b0": 1]], proxy))
            try await proxy.apply(Described(backends: [.init("b1", try closedPort())]))
            try await #expect(come(to: 1, ["app": ["b1": 0]], proxy))
            held.released.set()
            _ = try client.receive(until: "held")
            try await #expect(come(to: 0, ["app": ["b1": 0]], proxy))
        }
    }
}
