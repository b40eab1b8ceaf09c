import Affinity
import LimpetTestKit
import NIOCore
import Synchronization
import Testing

@testable import Proxy

@Suite("The fleet's judge at work")
struct FleetHealthMonitorTests {
    /// Two replicas that hear each other, each with one backend at its port.
    private static func withTwo(
        _ firstPort: Int, _ secondPort: Int, _ body: (ProxyHarness, ProxyHarness, Bus) async throws -> Void
    ) async throws {
        let bus = Bus()
        try await withProxy(to: [firstPort]) { first in
            try await withProxy(to: [secondPort]) { second in
                try await bus.join([first, second])
                try await body(first, second, bus)
                try await bus.stop()
            }
        }
    }

    @Test("replicas that cannot reach a backend agree on it over the channel, and on its return")
    func agreement() async throws {
        let port = try closedPort()
        try await Self.withTwo(port, port) { first, second, bus in
            #expect(!first.health.judgesAlone && !second.health.judgesAlone)
            let answer = try first.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 503"))
            #expect(Waiting.until(within: 2) { first.health.mayReassign(0) && second.health.mayReassign(0) })
            let backend = try ScriptedBackend(port: port) { _, _ in }
            defer { backend.close() }
            #expect(Waiting.until(within: 5) { first.health.isUp(0) && second.health.isUp(0) })
            #expect(!first.health.mayReassign(0) && !second.health.mayReassign(0))
        }
    }

    @Test("a replica whose peer reaches the backend may not leave it")
    func disagreement() async throws {
        let backend = try ScriptedBackend.answering(ok("here"))
        defer { backend.close() }
        try await Self.withTwo(try closedPort(), backend.port) { first, second, bus in
            let connections = backend.connectionCount
            _ = try first.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(Waiting.until(within: 2) { backend.connectionCount > connections })
            #expect(!Waiting.until(within: 1.5) { first.health.mayReassign(0) })
            #expect(!first.health.isUp(0))
            #expect(second.health.isUp(0) && !second.health.isAvoided(0))
        }
    }
}

extension FleetHealthMonitorTests {
    /// A backend that can be reached, and whose health check is answered as the test says.
    private final class Checked: Sendable {
        let status: Mutex<Int>

        init(_ status: Int) { self.status = Mutex(status) }

        func backend() throws -> ScriptedBackend {
            try ScriptedBackend { [self] connection, _ in
                while true {
                    _ = try connection.receive(until: "\r\n\r\n")
                    try connection.send("HTTP/1.1 \(status.withLock { $0 }) x\r\nContent-Length: 0\r\n\r\n")
                }
            }
        }
    }

    @Test("a check that fails at one replica alone moves nobody, one that fails at most of them does")
    func failing() async throws {
        let (first, second) = (Checked(200), Checked(200))
        let (one, other) = try (first.backend(), second.backend())
        defer {
            one.close()
            other.close()
        }
        // The second has no interval to speak of: it checks when it is asked.
        func check(_ interval: Int64) -> HealthCheck {
            HealthCheck(path: "/h", pace: CheckPace(intervalMilliseconds: interval, timeoutMilliseconds: 1000, fall: 3))
        }
        var options = ProxyHarness.Options()
        options.healthCheck = check(100)
        var patient = ProxyHarness.Options()
        patient.healthCheck = check(3_600_000)
        let bus = Bus()
        try await withProxy(to: [one.port], options) { [patient] alarmed in
            try await withProxy(to: [other.port], patient) { asked in
                try await bus.join([alarmed, asked])
                // Each has listened for long enough to know that there is no other.
                try await Task.sleep(for: .seconds(3.2))
                first.status.withLock { $0 = 503 }
                try await #expect(eventually { !alarmed.health.isUp(0) })
                #expect(alarmed.health.causes(against: 0) == .failing)
                #expect(!Waiting.until(within: 1.5) { alarmed.health.mayReassign(0) })
                #expect(asked.health.isUp(0) && !asked.health.isAvoided(0))
                #expect(asked.health.backends[0].checkCounts[.good] > 1, "it was asked, and has checked")
                second.status.withLock { $0 = 500 }
                try await #expect(eventually { alarmed.health.mayReassign(0) && asked.health.mayReassign(0) })
                #expect(asked.health.causes(against: 0) == .failing, "one failure, as the other says so too")
                first.status.withLock { $0 = 200 }
                second.status.withLock { $0 = 200 }
                try await #expect(eventually { alarmed.health.isUp(0) && asked.health.isUp(0) })
                try await bus.stop()
            }
        }
    }

    @Test("one that is configured anew judges the backends there are now, and forgets what was said of another address")
    func reconfigured() async throws {
        let port = try closedPort()
        let back = try ScriptedBackend.answering(ok("there"))
        defer { back.close() }
        try await Self.withTwo(port, port) { first, second, bus in
            _ = try first.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            try await #expect(eventually { first.health.mayReassign(0) && second.health.mayReassign(0) })
            let other = Described.Backend("other", try closedPort())
            try await first.apply(Described(backends: [other, .init("b0", port)]))
            try await bus.reconfigure(0)
            #expect(first.health.mayReassign(1) && !first.health.judgesAlone)
            try await second.apply(Described(backends: [other, .init("b0", back.port)]))
            try await bus.reconfigure(1)
            #expect(second.health.isUp(1) && !second.health.mayReassign(1))
            // A backend that nobody had before.
            first.health.markDown(1)
            _ = try first.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            try await #expect(eventually { first.health.mayReassign(0) && second.health.mayReassign(0) })
        }
    }

    @Test("what the fleet said of a backend ends when its service has no sessions any more")
    func noLongerShared() async throws {
        let port = try closedPort()
        let back = try ScriptedBackend.answering(ok("there"))
        defer { back.close() }
        try await Self.withTwo(port, port) { first, second, bus in
            _ = try first.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            try await #expect(eventually { first.health.mayReassign(0) && second.health.mayReassign(0) })
            first.health.setAvoided(0, true)
            try await first.apply(Described(backends: [.init("b0", port)], isSticky: false))
            try await bus.reconfigure(0)
            #expect(!first.health.mayReassign(0) && !first.health.isAvoided(0))
            try await second.apply(Described(backends: [.init("b0", back.port)]))
            try await bus.reconfigure(1)
            try await first.apply(Described(backends: [.init("b0", port)]))
            try await bus.reconfigure(0)
            #expect(!first.health.isUp(0) && !first.health.mayReassign(0), "the other one reaches it")
        }
    }
}

/// Carries payloads between judges, each on its own loop, as Redis would.
private final class Bus: Sendable {
    private let judges = Mutex<[NIOLoopBound<FleetHealthMonitor>]>([])
    private let proxies = Mutex<[ProxyHarness]>([])

    func join(_ proxies: [ProxyHarness]) async throws {
        self.proxies.withLock { $0 = proxies }
        for (number, proxy) in proxies.enumerated() { try await join(proxy, number: UInt64(number + 1)) }
        try await waitUntilHeard(count: proxies.count)
    }

    private func join(_ proxy: ProxyHarness, number: UInt64) async throws {
        let snapshot = try await proxy.onLoop { $0.table.snapshot }
        let judge = try await proxy.onProber { prober in
            let judge = FleetHealthMonitor(
                prober: prober, snapshot: snapshot,
                own: .init(instance: number, configuration: 1, name: "r\(number)", version: "1"),
                key: ProxyHarness.key, leaseMilliseconds: 500, channel: Line(self))
            return NIOLoopBound(judge, eventLoop: prober.loop.eventLoop)
        }
        judges.withLock { $0.append(judge) }
        try await judge.eventLoop.submit {
            judge.value.subscribed()
            judge.value.start()
        }.get()
    }

    private func waitUntilHeard(count: Int) async throws {
        for judge in judges.withLock({ $0 }) {
            let end = ContinuousClock.now + .seconds(5)
            while try await judge.eventLoop.submit({ judge.value.roster.members.count }).get() < count - 1 {
                try #require(ContinuousClock.now < end)
                await Task.yield()
            }
        }
    }

    /// The replica of a judge has taken over another configuration.
    func reconfigure(_ index: Int) async throws {
        let judge = judges.withLock { $0[index] }
        let snapshot = try await proxies.withLock { $0[index] }.onLoop { $0.table.snapshot }
        try await judge.eventLoop.submit { judge.value.reconfigured(snapshot, configuration: 2) }.get()
    }

    func stop() async throws {
        for judge in judges.withLock({ $0 }) { try await judge.eventLoop.submit { judge.value.stop() }.get() }
    }

    func publish(_ payload: [UInt8]) {
        for judge in judges.withLock({ $0 }) {
            judge.eventLoop.execute { payload.withUnsafeBytes { judge.value.received($0) } }
        }
    }

    private final class Line: FleetChannel {
        let lease = FleetMessage.Lease.live
        private let bus: Bus

        init(_ bus: Bus) { self.bus = bus }

        func publish(_ payload: [UInt8]) -> Bool {
            bus.publish(payload)
            return true
        }

        func configurationsAgree(_ agree: Bool) {}
    }
}
