import Affinity
import LimpetTestKit
import Testing

@testable import Store

@Suite("Whether a replaced Redis stops taking writes", .serialized)
struct FailoverGuardTests {
    private static let identity = ServerIdentity(runID: ServerIdentity.RunID("r"), replicationID: "p")

    @Test(
        "It does if it needs all the replicas that it has",
        arguments: [
            (nil, 0, .off), (nil, 2, .off), (0, 1, .off), (1, 0, .complete), (1, 1, .complete),
            (1, 2, .tooSmall(demanded: 1)),
            (2, 2, .complete), (2, 1, .complete), (2, 3, .tooSmall(demanded: 2)),
        ] as [(Int?, Int, FailoverGuard)])
    func guards(_ demanded: Int?, _ connected: Int, _ expected: FailoverGuard) {
        let report = ServerReport(
            identity: Self.identity, demandsReplicas: demanded != nil, demandedReplicas: demanded,
            connectedReplicas: connected)
        #expect(report.failoverGuard == expected)
    }

    @Test("If only INFO may be read, that it needs some is enough for one replica, and not for two")
    func numberUnknown() {
        let guards = [0, 1, 2].map {
            ServerReport(identity: Self.identity, demandsReplicas: true, connectedReplicas: $0).failoverGuard
        }
        #expect(guards == [.complete, .complete, .unknown])
        #expect(guards.map(\.isComplete) == [true, true, nil])
        #expect(FailoverGuard.off.isComplete == false && FailoverGuard.tooSmall(demanded: 1).isComplete == false)
    }

    private func report(_ server: RedisServer, user: String = "") async throws -> ServerReport {
        let url = "redis://\(user)127.0.0.1:\(server.port)"
        let driver = try ChannelDriver(StoreSettings(endpoint: RedisEndpoint(url)))
        try await eventually { try driver.run { $0.channel.report } != nil }
        let report = try driver.run { $0.channel.report }
        try await driver.stop()
        return try #require(report)
    }

    @Test("A real Redis with two replicas says whether it needs both, to whoever may read it")
    func realReplicas() async throws {
        let primary = try RedisServer(["--repl-diskless-sync-delay", "0"])
        let replicas = try (0..<2).map { _ in try RedisServer(["--replicaof", "127.0.0.1 \(primary.port)"]) }
        try await eventually {
            let info = try primary.command("INFO", "replication")
            return info.contains("connected_slaves:2") && info.matches(of: /state=online/).count == 2
        }
        #expect(try await report(primary).failoverGuard == .off)
        let rights = [
            "on", ">hush", "~limpet:*", "&limpet:*", "+set", "+get", "+getrange", "+getex", "+pttl", "+pexpire",
            "+eval", "+evalsha",
            "+publish", "+subscribe", "+ping", "+info",
        ]
        try primary.command(["ACL", "SETUSER", "narrow"] + rights)
        try primary.command(["ACL", "SETUSER", "reader"] + rights + ["+config|get"])
        for (number, expected) in [("1", FailoverGuard.tooSmall(demanded: 1)), ("2", .complete)] {
            try primary.command("CONFIG", "SET", "min-replicas-to-write", number)
            #expect(try await report(primary).failoverGuard == expected)
            #expect(try await report(primary, user: "reader:hush@").failoverGuard == expected)
            #expect(try await report(primary, user: "narrow:hush@").failoverGuard == .unknown)
        }
        withExtendedLifetime(replicas) {}
    }

    @Test("It is judged by the most replicas that were seen since the start, on any connection, not by those left")
    func mostReplicas() async throws {
        let primary = try RedisServer(["--repl-diskless-sync-delay", "0", "--min-replicas-to-write", "1"])
        func replica() throws -> RedisServer { try RedisServer(["--replicaof", "127.0.0.1 \(primary.port)"]) }
        func following(_ count: Int) async throws {
            try await eventually {
                let info = try primary.command("INFO", "replication")
                return info.contains("connected_slaves:\(count)") && info.matches(of: /state=online/).count == count
            }
        }
        let first = try replica()
        try await following(1)
        let driver = try ChannelDriver(StoreSettings.plain(port: primary.port))
        try await driver.store.ready()
        try await eventually { try driver.run { $0.channel.report } != nil }
        #expect(try driver.run { $0.channel.report }?.failoverGuard == .complete)
        // Another one is seen by the data connection alone.
        let second = try replica()
        try await following(2)
        #expect(try driver.run { $0.channel.report }?.failoverGuard == .complete)
        try primary.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        try await eventually { try driver.run { $0.channel.report }?.failoverGuard == .tooSmall(demanded: 1) }
        // One is left, as after a fail-over; the subscription made now sees no other.
        second.kill()
        try await following(1)
        let subscriptions = try driver.counters.connections
        try primary.command("CLIENT", "KILL", "TYPE", "pubsub")
        try await eventually { try driver.counters.connections > subscriptions }
        let report = try #require(try driver.run { $0.channel.report })
        #expect(report.failoverGuard == .tooSmall(demanded: 1) && report.connectedReplicas == 2)
        try await driver.stop()
        withExtendedLifetime(first) {}
    }
}
