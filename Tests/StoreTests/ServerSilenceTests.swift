import Affinity
import LimpetTestKit
import Testing

@testable import Store

@Suite("A server that falls silent", .serialized)
struct ServerSilenceTests {
    private let minute: Int64 = 60_000

    /// Two loops of a replica, with the channel on the first. The second asks nothing.
    private func with(
        _ body: (RedisServer, _ first: ChannelDriver, _ idle: StoreDriver) async throws -> Void
    ) async throws {
        // A Redis that is followed begins at once, not after five seconds.
        let server = try RedisServer(["--repl-diskless-sync-delay", "0"])
        let first = try ChannelDriver(StoreSettings.plain(port: server.port))
        let idle = try StoreDriver.redis(first.primary)
        try await first.live()
        try await first.store.ready()
        try await idle.ready()
        try await body(server, first, idle)
        try await idle.stop()
        try await first.stop()
    }

    private func isLeft(_ first: ChannelDriver, _ idle: StoreDriver) async throws -> Bool {
        let isFirstAvailable = try await first.store.isAvailable
        let isIdleAvailable = try await idle.isAvailable
        return !isFirstAvailable && !isIdleAvailable
    }

    /// Freezes the server and waits until all connections to it have been left.
    private func silence(_ server: RedisServer, _ first: ChannelDriver, _ idle: StoreDriver) async throws {
        server.freeze()
        let begin = ContinuousClock.now
        try await eventually(within: .seconds(2)) { try await idle.counters().connectionFailures >= 1 }
        #expect(ContinuousClock.now - begin > .milliseconds(400))
        try await eventually(within: .seconds(1)) { try !first.isUp }
        #expect(try await first.store.counters().connectionFailures >= 1)
        #expect(try await isLeft(first, idle))
        #expect((first.store.lines.all + idle.lines.all).contains { $0.contains("the server was silent for a whole") })
    }

    @Test("is left on all connections, also those that asked nothing, and is used again 1.1 s after it answers")
    func wakes() async throws {
        try await with { server, first, idle in
            try await silence(server, first, idle)
            let heartbeats = try first.counters.heartbeats
            server.thaw()
            let begin = ContinuousClock.now
            while ContinuousClock.now - begin < .milliseconds(1000) {
                #expect(try await isLeft(first, idle) && !first.isLive)
                #expect(try first.counters.heartbeats == heartbeats)
                #expect(try await idle.send(.read(.test(1))) == .unavailable(.away))
                try await Task.sleep(for: .milliseconds(10))
            }
            try await first.live()
            #expect(ContinuousClock.now - begin > .milliseconds(1100))
            try await first.store.ready()
            try await idle.ready()
            try await eventually { try await idle.send(.read(.test(1))) == .absent }
            #expect(try server.command("GET", "limpet:proof") == "1")
        }
    }

    @Test("is left on a connection that asked nothing, too, if another one that was cut cannot be made again")
    func greetingIsOwed() async throws {
        let server = try RedisServer()
        let proxy = try FaultProxy(target: server.port)
        let primary = RedisPrimary(try StoreSettings.plain(port: proxy.port), connections: 2)
        let cut = try StoreDriver.redis(primary)
        try await cut.ready()
        let idle = try StoreDriver.redis(primary)
        try await idle.ready()
        server.freeze()
        try proxy.reset(.oneData)
        // The first commands of the next connection are not answered. No channel asks here what a replica asks.
        try await eventually {
            primary.servers.check(now: .now)
            return try await !idle.isAvailable
        }
        server.thaw()
        let begin = ContinuousClock.now
        try await idle.ready()
        #expect(ContinuousClock.now - begin > .milliseconds(1000))
        try await idle.stop()
        try await cut.stop()
        proxy.stop()
    }

    @Test("and refuses writes when it wakes never gets trust back, whatever it answers")
    func refusesWrites() async throws {
        try await with { server, first, idle in
            try server.command("CONFIG", "SET", "min-replicas-to-write", "1")
            try await silence(server, first, idle)
            server.thaw()
            func refusals() async throws -> UInt64 {
                try await first.store.counters().refusals + idle.counters().refusals
            }
            let before = try await refusals()
            try await eventually { try await refusals() >= before + 4 }
            let end = ContinuousClock.now + .seconds(1)
            while ContinuousClock.now < end {
                #expect(try await isLeft(first, idle) && !first.isLive)
                try await Task.sleep(for: .milliseconds(10))
            }
            // It is reached again and again.
            let connections = try await (first.store.counters().connections, first.counters.connections)
            try await eventually {
                try await first.store.counters().connections > connections.0
                    && first.counters.connections > connections.1
            }
            let reason = "reason=the server was silent, and has accepted no write since"
            #expect((first.store.lines.all + idle.lines.all).count { $0.contains(reason) } == 1)
            #expect(try await isLeft(first, idle) && !first.isLive)
            #expect((first.store.lines.all + idle.lines.all).contains { $0.contains("error=NOREPLICAS") })
            try server.command("CONFIG", "SET", "min-replicas-to-write", "0")
            try await first.store.ready()
            try await first.live()
        }
    }

    @Test("and becomes a replica when it wakes is not used")
    func replica() async throws {
        try await with { server, first, idle in
            try await silence(server, first, idle)
            // Waits in its socket.
            async let demotion = Threads.run { try server.command("REPLICAOF", "127.0.0.1", "1") }
            try await Task.sleep(for: .milliseconds(200))
            server.thaw()
            #expect(try await demotion == "OK")
            let end = ContinuousClock.now + .seconds(3)
            while ContinuousClock.now < end {
                #expect(try await isLeft(first, idle) && !first.isLive)
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    @Test("and was replaced while it was frozen is not used when it wakes, though it answers")
    func replaced() async throws {
        try await with { server, first, idle in
            let replica = try RedisServer(["--replicaof", "127.0.0.1 \(server.port)"])
            try await eventually {
                try server.command("INFO", "replication").contains("state=online")
            }
            try server.command("CONFIG", "SET", "min-replicas-to-write", "1")
            try await first.live()
            try await silence(server, first, idle)
            try replica.command("REPLICAOF", "NO", "ONE")
            server.thaw()
            func refusals() async throws -> UInt64 {
                try await first.store.counters().refusals + idle.counters().refusals
            }
            let before = try await refusals()
            try await eventually {
                #expect(try await isLeft(first, idle) && !first.isLive)
                return try await refusals() >= before + 4
            }
        }
    }

    @Test("and starts again is another server, which is used at once")
    func restarts() async throws {
        try await with { server, first, idle in
            try await silence(server, first, idle)
            server.kill()
            let connections = try await idle.counters().connections
            try server.start()
            try await eventually { try await idle.counters().connections > connections }
            try await idle.ready(within: .milliseconds(500))
            try await first.live()
        }
    }

    @Test("on the subscription alone is not silent: only the subscription is given up, after two leases")
    func halfOpenSubscription() async throws {
        let server = try RedisServer()
        let proxy = try FaultProxy(target: server.port)
        defer { proxy.stop() }
        let driver = try ChannelDriver(StoreSettings.plain(port: proxy.port))
        try await driver.live()
        try await driver.store.ready()
        try proxy.set(.halfOpen, on: .subscribers)
        let begin = ContinuousClock.now
        try await eventually { try !driver.isUp }
        #expect(ContinuousClock.now - begin > .milliseconds(900))
        #expect(try await driver.store.isAvailable)
        #expect(try await driver.store.counters().connectionFailures == 0)
        try proxy.heal()
        try await driver.live()
        try await driver.stop()
    }

    @Test("is remembered while another takes its place")
    func remembered() throws {
        let link = ChannelServer()
        let place = RedisEndpoint.Address.host("127.0.0.1", port: 6379)
        let servers = WatchedServers(leaseMilliseconds: 500, areNamedBySentinels: false, link: link)
        func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
        let old = ServerIdentity.RunID("old")
        let first = servers.connected(to: old, at: place, now: at(0))
        #expect(servers.connected(to: old, at: place, now: at(10)) === first)
        #expect(servers.check(first, owedSince: at(20), now: at(600)))
        for number in 0..<20 as Range<Int64> {
            #expect(
                servers.connected(to: ServerIdentity.RunID("new\(number)"), at: place, now: at(700 + number)).isTrusted)
        }
        let again = servers.connected(to: old, at: place, now: at(1000))
        #expect(again === first && !again.isTrusted && again.settlesAt == at(2100))
    }
}
