import Affinity
import LimpetTestKit
import Synchronization
import Testing

@testable import Proxy

@Suite("Failures of requests that count against a backend")
struct PassiveHealthTests {
    private static let get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    /// A backend whose answers the test chooses: a status, or nothing at all.
    private final class Moody: Sendable {
        let status = Mutex(200)

        func backend() throws -> ScriptedBackend {
            try ScriptedBackend { [self] connection, _ in
                while true {
                    _ = try connection.receive(until: "\r\n\r\n")
                    let status = status.withLock { $0 }
                    guard status > 0 else { return }
                    try connection.send("HTTP/1.1 \(status) x\r\nContent-Length: 0\r\n\r\n")
                }
            }
        }
    }

    private static func status(_ proxy: ProxyHarness) throws -> Substring {
        try proxy.exchange(get).dropFirst(9).prefix(3)
    }

    private static func withMoody(
        _ passive: PassiveHealthCheck?, _ body: @Sendable @escaping (ProxyHarness, Moody) async throws -> Void
    ) async throws {
        let moody = Moody()
        let backend = try moody.backend()
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.passiveHealthCheck = passive
        try await withProxy(to: [backend.port], options) { try await body($0, moody) }
    }

    @Test("are chosen statuses, as many within the window: then the backend is failing, and after the window it is not")
    func statuses() async throws {
        let passive = PassiveHealthCheck(windowMilliseconds: 500, failuresMax: 2, statuses: [502...504])
        try await Self.withMoody(passive) { proxy, moody in
            moody.status.withLock { $0 = 500 }
            for _ in 0..<3 { try #expect(Self.status(proxy) == "500") }
            moody.status.withLock { $0 = 503 }
            try #expect(Self.status(proxy) == "503")
            #expect(proxy.health.isUp(0))
            try #expect(Self.status(proxy) == "503")
            try await #expect(eventually { !proxy.health.isUp(0) })
            #expect(proxy.health.causes(against: 0) == .failing)
            #expect(proxy.health.backends[0].failures == ["requests: status 503"])
            moody.status.withLock { $0 = 200 }
            try #expect(Self.status(proxy) == "503", "there is no other")
            try await #expect(eventually { proxy.health.isUp(0) })
            try #expect(Self.status(proxy) == "200")
        }
    }

    @Test("are connections that end before the answer does, and counted apart from statuses")
    func errors() async throws {
        let passive = PassiveHealthCheck(windowMilliseconds: 60_000, failuresMax: 2, statuses: [500...599])
        try await Self.withMoody(passive) { proxy, moody in
            moody.status.withLock { $0 = 500 }
            _ = try Self.status(proxy)
            moody.status.withLock { $0 = 0 }
            try #expect(Self.status(proxy) == "502")
            #expect(proxy.health.isUp(0), "one of each")
            try #expect(Self.status(proxy) == "502")
            try await #expect(eventually { proxy.health.backends[0].failures == ["requests: connection closed"] })
        }
    }

    @Test("are none without the setting, whatever the backend answers")
    func off() async throws {
        try await Self.withMoody(nil) { proxy, moody in
            for status in [500, 503, 0] {
                moody.status.withLock { $0 = status }
                for _ in 0..<5 { _ = try Self.status(proxy) }
            }
            #expect(proxy.health.isUp(0))
        }
    }

    @Test("with a health check only good checks bring the backend back")
    func withCheck() async throws {
        let isWell = Mutex(true)
        let backend = try ScriptedBackend { connection, _ in
            while true {
                let isCheck = try connection.receive(until: "\r\n\r\n").hasPrefix("GET /health ")
                let status = isCheck && isWell.withLock { $0 } ? 200 : 503
                try connection.send("HTTP/1.1 \(status) x\r\nContent-Length: 0\r\n\r\n")
            }
        }
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.passiveHealthCheck = PassiveHealthCheck(windowMilliseconds: 100, failuresMax: 1, statuses: [503...503])
        options.healthCheck = HealthCheck(
            path: "/health", pace: CheckPace(intervalMilliseconds: 200, timeoutMilliseconds: 1000, rise: 5))
        try await withProxy(to: [backend.port], options) { proxy in
            let start = ContinuousClock.now
            try #expect(Self.status(proxy) == "503")
            try await #expect(eventually { !proxy.health.isUp(0) })
            try await #expect(eventually { proxy.health.isUp(0) })
            #expect(ContinuousClock.now - start > .milliseconds(700), "five checks, not one window")
        }
    }
}
