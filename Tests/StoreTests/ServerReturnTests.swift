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
        try await eventually {
            let connections = try await driver.store.counters().connections
            return try connections >= 2 && driver.isUp
        }
        let connections = try await (driver.store.counters().connections, driver.counters.connections)
        try await eventually { count() == 1 }
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

    @Test(
        "is left by a loop that learns of the silence only after another one has connected again",
        arguments: [true, false])
    func lateLoop(isChannelLate: Bool) async throws {
        let server = try RedisServer()
        // So many that no attempt waits for another.
        let primary = RedisPrimary(try StoreSettings.plain(port: server.port), connections: 8)
        let first = try ChannelDriver(primary)
        let other = try StoreDriver.redis(primary)
        try await first.live()
        try await first.store.ready()
        try await other.ready()
        let (late, early) = isChannelLate ? (first.store, other) : (other, first.store)
        let watched = try watched(server, primary)
        let before = try await (late: late.counters().connections, early: early.counters().connections)
        let end = await late.block()
        // As if the other loop had found it.
        let now = Instant.now
        #expect(primary.servers.check(watched, owedSince: now, now: now.advanced(byMilliseconds: 501)))
        try await eventually { try await early.counters().connections > before.early }
        end.signal()
        try await eventually(within: .seconds(5)) {
            try await late.counters().connections > before.late && first.counters.connections >= 2
        }
        try await late.ready()
        try await early.ready()
        #expect(try [first.store, other].allSatisfy { try $0.runRedis { $0.availability.isAvailable } })
        try await other.stop()
        try await first.stop()
    }

    @Test("is in use again, also for loops that forward to one that learns of the silence only when it is over")
    func lateLoopAfterTrust() async throws {
        let server = try RedisServer()
        let primary = RedisPrimary(try StoreSettings.plain(port: server.port), connections: 1)
        let late = try StoreDriver.redis(primary)
        try await late.ready()
        let availability = try late.runRedis { $0.availability }
        let watched = try watched(server, primary)

        let first = await late.block()
        // The loop notices that the server is not trusted, then waits again, and only then learns of the silence.
        primary.link.set(try identity(of: server))
        let second = DispatchSemaphore(value: 0)
        late.loop.execute { _ = second.wait(timeout: .now() + 10) }
        let now = Instant.now
        #expect(primary.servers.check(watched, owedSince: now, now: now.advanced(byMilliseconds: 501)))
        first.signal()
        try await eventually { !availability.isAvailable }
        watched.connected(at: primary.settings.endpoint.address, now: now.advanced(byMilliseconds: -1100))
        watched.accepted(writeSentAt: now)
        second.signal()
        try await eventually(within: .seconds(5)) { availability.isAvailable }
        #expect(try await late.counters().connections == 1)
        try await late.stop()
    }

    private func identity(of server: RedisServer) throws -> ServerIdentity {
        func field(_ name: String) throws -> String {
            let lines = try server.command("INFO", "everything").split(whereSeparator: \.isNewline)
            return String(try #require(lines.first { $0.hasPrefix("\(name):") }?.dropFirst(name.count + 1)))
        }
        return ServerIdentity(
            runID: ServerIdentity.RunID(try field("run_id")), replicationID: try field("master_replid"))
    }

    /// The server as all connections of the primary know it.
    private func watched(_ server: RedisServer, _ primary: RedisPrimary) throws -> WatchedServer {
        let runID = try identity(of: server).runID
        return primary.servers.connected(to: runID, at: primary.settings.endpoint.address, now: .now)
    }
}
