import LimpetTestKit
import NIOCore
import Testing

@testable import Store

/// Real Sentinels that refuse something.
@Suite("Sentinels that refuse something")
struct SentinelRefusalTests {
    private static func sentinel(watching port: Int, _ lines: [String] = []) throws -> SentinelProcess {
        var options = SentinelDeployment.Options()
        options.sentinelLines = lines
        return try SentinelProcess(SentinelDeployment.lines(watching: port, options))
    }

    @Test(
        "Without a right to its announcements, a Sentinel names the primary; what is missing is said once",
        arguments: [
            ("+subscribe", "the user has no permission to run SUBSCRIBE: grant +subscribe"),
            ("+ping", "the user has no permission to run PING: grant +ping"),
            ("&+switch-master", "the user has no permission for the channel of fail-overs (&+switch-master)"),
        ])
    func announcements(_ right: String, _ reason: String) async throws {
        let redis = try RedisServer()
        let sentinel = try Self.sentinel(watching: redis.port)
        let rights = try DocumentedRights.arguments(DocumentedRights.sentinel).filter { $0 != right }
        #expect(try sentinel.command(rights) == "OK")
        let driver = try SentinelDriver([sentinel.port], password: "hush")
        try await driver.inUse(redis.port)
        let line =
            "warning A Sentinel's announcements are not heard. reason=\(reason) "
            + "sentinel=redis://127.0.0.1:\(sentinel.port)/0"
        try await eventually { driver.lines.all.contains(line) }
        for _ in 0..<2 {
            // It is asked again soon, and heard again not at all.
            try sentinel.command("CLIENT", "KILL", "TYPE", "normal")
            try await Task.sleep(for: .seconds(3))
        }
        #expect(driver.lines.all.count { $0 == line } == 1)
        #expect(driver.count("A Sentinel cannot name the primary. reason=the user") == 0, "\(driver.lines.all)")
        #expect(driver.count("are heard again") == 0)
        #expect(try driver.status.heard == 1)
        try sentinel.command("ACL", "SETUSER", "limpet", right)
        try await eventually {
            driver.count("info A Sentinel's announcements are heard again.") == 1
        }
        try await driver.stop()
    }

    @Test(
        "Where no Sentinel names a primary, the store is said to be unavailable, once",
        arguments: ["name", "password", "Redis"])
    func noPrimary(_ mistake: String) async throws {
        let redis = try RedisServer()
        let sentinel = try Self.sentinel(watching: redis.port)
        let rights = try DocumentedRights.arguments(DocumentedRights.sentinel)
        #expect(try sentinel.command(rights) == "OK")
        let name = mistake == "name" ? "other" : SentinelDeployment.primaryName
        let settings = SentinelDriver.settings(
            [mistake == "Redis" ? redis.port : sentinel.port],
            password: mistake == "Redis" ? nil : mistake == "password" ? "loud" : "hush", masterName: name)
        let driver = try SentinelDriver(settings)
        let line = "warning The store is unavailable. reason=no Sentinel has named a primary store=\(name)"
        try await eventually { driver.lines.all.contains(line) }
        try await Task.sleep(for: .seconds(2))
        #expect(driver.count("The store is unavailable.") == 1)
        guard mistake == "name" else { return try await driver.stop() }
        #expect(driver.count("no primary of the name other: check store.redis.sentinel.masterName") == 1)
        try sentinel.command("SENTINEL", "MONITOR", "other", "127.0.0.1", "\(redis.port)", "1")
        try await driver.inUse(redis.port)
        try await eventually { driver.count("info The store is available.") == 1 }
        try await driver.stop()
    }

    @Test("A TLS port among Sentinels without TLS is told to need rediss://")
    func portOfTLS() async throws {
        let redis = try TLSRedis()
        let driver = try SentinelDriver([redis.port])
        try await eventually {
            driver.lines.all.contains {
                $0.hasPrefix("warning A Sentinel cannot name the primary.") && $0.contains("rediss://")
            }
        }
        try await driver.stop()
    }

    @Test("A Sentinel that takes no more connections is said to have reached maxclients")
    func full() async throws {
        let redis = try RedisServer()
        let sentinel = try Self.sentinel(watching: redis.port, ["maxclients 8"])
        var held: [TCPSocket] = []
        for _ in 0..<8 { held.append(try TCPSocket(port: sentinel.port)) }
        let driver = try SentinelDriver([sentinel.port])
        let reason = "reason=the server has reached its maxclients;"
        try await eventually { driver.count("A Sentinel cannot name the primary. \(reason)") == 1 }
        held = []
        try await driver.inUse(redis.port)
        try await driver.stop()
    }
}
