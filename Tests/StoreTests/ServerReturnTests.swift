import Affinity
import Dispatch
import LimpetTestKit
import NIOCore
import Networking
import Synchronization
import Testing

@testable import Store

@Suite("A server that was silent and answers again", .serialized)
struct ServerReturnTests {
    @Test("and refuses writes is left after two leases, so that its name is looked up again: another has its place")
    func nameMoves() async throws {
        let old = try RedisServer(["--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0"])
        let new = try RedisServer(["--bind", "127.0.0.2", "--replicaof", "127.0.0.1 \(old.port)"], port: old.port)
        try await eventually { try new.command("INFO", "replication").contains("master_link_status:up") }
        try await eventually { try old.command("INFO", "replication").contains("state=online") }
        try old.command("CONFIG", "SET", "min-replicas-to-write", "1")
        let address = Mutex("127.0.0.1")
        let resolver = NameResolver { _ in
            .success([address.withLock { $0 }].compactMap { try? SocketAddress(ipAddress: $0, port: 0) })
        }
        let settings = try StoreSettings(endpoint: RedisEndpoint("redis://store.example:\(old.port)"))
        let primary = RedisPrimary(
            settings, endpoints: FixedEndpoint(endpoint: settings.endpoint), connections: 1, resolver: resolver)
        let driver = try ChannelDriver(primary)
        try await driver.live()
        try await driver.store.ready()

        old.freeze()
        try await eventually { try !driver.isUp }
        try new.command("REPLICAOF", "NO", "ONE")
        old.thaw()
        // The name moves only once both connections lead to the old one again.
        let refused = try await driver.store.counters().refusals
        try await eventually {
            let refusals = try await driver.store.counters().refusals
            return try refusals > refused && driver.isUp
        }
        address.withLock { $0 = "127.0.0.2" }
        try await driver.live(within: .seconds(15))
        try await driver.store.ready()
        let operation = StoreOperation.create(.test(9), BackendHash(bits: 1), lifetimeMilliseconds: 60_000)
        #expect(try await driver.store.send(operation) == .written)
        #expect(try new.command("EXISTS", "limpet:\(Fingerprint.test(9).text)") == "1")
        #expect(driver.store.lines.all.count { $0.contains("the server was silent, and has accepted no write") } == 1)
        try await driver.stop()
    }

    @Test("waits for a majority of the Sentinels to name it, on the same connections, and that is said once")
    func unconfirmed() async throws {
        let server = try RedisServer()
        let settings = SentinelDriver.settings(SentinelSettings(endpoints: [], primaryName: "main"))
        let named = SentinelEndpoints(template: settings.endpoint)
        let address = ServerAddress(host: "127.0.0.1", port: server.port)
        named.set(address)
        let primary = RedisPrimary(settings, endpoints: named, named: named, connections: 1)
        let driver = try ChannelDriver(primary)
        try await driver.live()
        try await driver.store.ready()
        func count() -> Int {
            driver.store.lines.all.count { $0.contains("waits for a majority of the Sentinels to name it") }
        }

        server.freeze()
        try await eventually { try !driver.isUp }
        server.thaw()
        try await eventually { count() == 1 }
        let connections = try await (driver.store.counters().connections, driver.counters.connections)
        // Three leases.
        try await Task.sleep(for: .milliseconds(1800))
        #expect(try await !driver.store.isAvailable && !driver.isLive)
        #expect(try await driver.store.counters().connections == connections.0)
        #expect(try driver.counters.connections == connections.1)
        primary.servers.named(RedisEndpoint.Address(address), askedAt: .now)
        try await driver.store.ready()
        try await driver.live()
        #expect(count() == 1)
        try await driver.stop()
    }
}
