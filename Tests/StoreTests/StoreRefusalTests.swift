import Affinity
import LimpetTestKit
import Testing

@testable import Store

/// Real servers that refuse commands or connections.
@Suite("A Redis that refuses something")
struct StoreRefusalTests {
    @Test("A primary that needs more replicas than it has is named as the cause, with the numbers if they are known")
    func noReplicas() async throws {
        let server = try RedisServer(["--min-replicas-to-write", "5"])
        let rights = try DocumentedRights.arguments(DocumentedRights.store)
        #expect(try server.command(rights) == "OK")
        let cause = "the primary has fewer replicas than min-replicas-to-write demands"
        for (user, reason) in [("", ": demanded=5, connected=0"), ("limpet:hush@", "")] {
            let settings = try StoreSettings(endpoint: RedisEndpoint("redis://\(user)127.0.0.1:\(server.port)"))
            let driver = try ChannelDriver(settings)
            let line =
                "warning The store rejects commands. error=NOREPLICAS reason=\(cause)\(reason) "
                + "store=redis://127.0.0.1:\(server.port)/0"
            try await eventually { driver.store.lines.all.contains(line) }
            try await driver.stop()
        }
    }

    @Test("The numbers are left out where they do not explain the refusal")
    func numbers() {
        func reason(_ demanded: Int?, _ connected: Int) -> String {
            let identity = ServerIdentity(runID: .init("a"), replicationID: "b")
            let report = ServerReport(
                identity: identity, demandsReplicas: true, demandedReplicas: demanded, connectedReplicas: connected)
            return String(report.lackOfReplicas.dropFirst(ServerReport.lackOfReplicas.count))
        }
        #expect(reason(nil, 2) == "")
        #expect(reason(5, 2) == ": demanded=5, connected=2")
        // One has been lost since, or lags.
        #expect(reason(2, 2) == ": demanded=2")
    }

    @Test("While no heartbeat can be sent, the subscription is not blamed for it")
    func noHeartbeats() async throws {
        let server = try RedisServer()
        let rights = try DocumentedRights.arguments(DocumentedRights.store)
        #expect(try server.command(rights) == "OK")
        let driver = try ChannelDriver(
            StoreSettings(endpoint: RedisEndpoint("redis://limpet:hush@127.0.0.1:\(server.port)")))
        try await driver.live()
        // The data connection is not made again.
        try server.command("ACL", "SETUSER", "limpet", "-info")
        try server.command("CLIENT", "KILL", "TYPE", "normal")
        try await eventually(within: .seconds(2)) { try await !driver.store.isAvailable }
        // For longer than two leases.
        try await Task.sleep(for: .milliseconds(1500))
        try server.command("ACL", "SETUSER", "limpet", "+info")
        try await driver.live()
        #expect(!driver.store.lines.all.contains { $0.contains("heartbeats") }, "\(driver.store.lines.all)")
        try await driver.stop()
    }

    @Test("A replica in the place of the primary is told with what to name")
    func replica() async throws {
        let server = try RedisServer(["--replicaof", "127.0.0.1 1"])
        let store = try StoreDriver.redis("redis://127.0.0.1:\(server.port)")
        let reason = "the server is a replica, which accepts no writes; endpoints must name the primary, or Sentinels"
        try await eventually { store.lines.all.contains { $0.contains("reason=\(reason) ") } }
        try await store.stop()
    }

    @Test("A Redis that takes no more connections is said to have reached maxclients, with a password and without")
    func full() async throws {
        let redis = try RedisServer()
        try redis.command("CONFIG", "SET", "maxclients", "2")
        let held = try (0..<2).map { _ in try TCPSocket(port: redis.port) }
        for user in ["", "limpet:hush@"] {
            let driver = try ChannelDriver(
                StoreSettings(endpoint: RedisEndpoint("redis://\(user)127.0.0.1:\(redis.port)")))
            // Once by the store, and once by the channel.
            try await eventually {
                driver.store.lines.all.count { $0.contains("reason=the server has reached its maxclients;") } == 2
            }
            #expect(driver.store.lines.all.count == 2, "\(driver.store.lines.all)")
            try await driver.stop()
        }
        withExtendedLifetime(held) {}
    }
}
