import Affinity
import Foundation
import LimpetTestKit
import NIOCore
import Networking
import Synchronization
import TLS
import Testing

@testable import Store

/// Real Sentinels. What they cannot be made to say is in `SentinelTopologyTests`.
@Suite("A store whose primary Sentinels name")
struct SentinelStoreTests {
    private static func sentinels(
        _ count: Int, watching port: Int, lines: [String] = []
    ) throws -> [SentinelProcess] {
        var options = SentinelDeployment.Options()
        options.sentinels = count
        options.sentinelLines = lines
        return try (0..<count).map { _ in
            try SentinelProcess(SentinelDeployment.lines(watching: port, options))
        }
    }

    @Test("is used at once, and each thing is said once")
    func start() async throws {
        let redis = try RedisServer()
        let sentinels = try Self.sentinels(3, watching: redis.port)
        for sentinel in sentinels { try sentinel.command("PING") }
        // The best of three: an answer that takes 250 ms counts as missing, and a busy machine may stall for longer.
        var warnings: [String]?
        for _ in 0..<3 where warnings != [] {
            let driver = try SentinelDriver(sentinels.map(\.port))
            let begin = ContinuousClock.now
            try await driver.inUse(redis.port)
            let isSoon = ContinuousClock.now - begin < .seconds(2)
            let status = try driver.status
            #expect(status.configured == 3 && status.switches == 1)
            try await eventually { try driver.status.heard == 3 && driver.status.isAgreed }
            if isSoon, status.basis == .majority { warnings = driver.lines.all.filter { $0.hasPrefix("warning") } }
            if warnings == [] {
                #expect(driver.count("The Sentinels name the primary. primary=127.0.0.1:\(redis.port)") == 1)
            }
            try await driver.stop()
        }
        #expect(warnings == [])
    }

    @Test("is found by the majority where the first Sentinel is wrong, which is said once")
    func firstIsWrong() async throws {
        let (redis, other) = (try RedisServer(), try RedisServer())
        let sentinels = try Self.sentinels(1, watching: other.port) + Self.sentinels(2, watching: redis.port)
        let driver = try SentinelDriver(sentinels.map(\.port))
        try await driver.inUse(redis.port, within: .seconds(2))
        let line =
            "warning A Sentinel names another primary than the majority; it is outvoted. "
            + "named=127.0.0.1:\(other.port) sentinel=redis://127.0.0.1:\(sentinels[0].port)/0"
        try await eventually { driver.lines.all.contains(line) }
        // Once its connections are back, all are asked again soon.
        try sentinels[0].command("CLIENT", "KILL", "TYPE", "normal")
        try await sentinels[0].asked(3)
        #expect(driver.lines.all.count { $0 == line } == 1)
        #expect(try driver.status.primary?.port == redis.port && driver.status.switches == 1)
        #expect(try other.command("CLIENT", "LIST").contains("cmd=evalsha") == false)
        try await driver.stop()
    }

    @Test("a minority names it at a start, which is said; it is kept when they fall silent, and nobody else moves it")
    func minority() async throws {
        let (redis, other) = (try RedisServer(), try RedisServer())
        let sentinels = try Self.sentinels(1, watching: redis.port)
        let (second, third) = (try LoopbackPort.free(), try LoopbackPort.free())
        let driver = try SentinelDriver([sentinels[0].port, second, third])
        try await driver.inUse(redis.port, within: .seconds(5))
        #expect(try driver.status.basis == .minority)
        #expect(driver.count("warning Too few Sentinels answer") == 1)
        #expect(driver.count("needed=2 of 3") == 1)
        #expect(driver.count("warning A Sentinel cannot name the primary. reason=cannot connect") == 2)
        // A single Sentinel that names another one is no majority either.
        sentinels[0].kill()
        let liar = try SentinelProcess(SentinelDeployment.lines(watching: other.port, .init()), port: second)
        try await eventually { try driver.status.heard == 1 }
        // For so long that a majority would be believed.
        try await Task.sleep(for: .milliseconds(SentinelTopology.patienceMilliseconds))
        try await liar.asked(2)
        #expect(try driver.status.primary?.port == redis.port && driver.status.heard == 1)
        #expect(driver.channel.isLive)
        try await driver.stop()
    }

    @Test("a Sentinel that does not know the name, and a Redis in a Sentinel's place, are told apart, each once")
    func mistakes() async throws {
        let redis = try RedisServer()
        let sentinels = try Self.sentinels(1, watching: redis.port)
        let driver = try SentinelDriver([sentinels[0].port, redis.port], masterName: "other")
        try await eventually {
            driver.count("reason=the Sentinel watches no primary of the name other: check store.redis.sentinel.mast")
                > 0
                && driver.count("reason=the server is not a Sentinel") > 0
        }
        try await sentinels[0].asked(3)
        let refused = try Self.refusals(of: redis)
        try await eventually { try Self.refusals(of: redis) >= refused + 2 }
        #expect(driver.count("watches no primary") == 1)
        #expect(driver.count("the server is not a Sentinel") == 1)
        #expect(try driver.status.primary == nil)
        #expect(try await driver.channel.store.isAvailable == false)
        try await driver.stop()
    }

    /// How often it was asked as if it were a Sentinel.
    private static func refusals(of redis: RedisServer) throws -> Int {
        let line = try redis.command("INFO", "errorstats").split(whereSeparator: \.isNewline)
            .first { $0.hasPrefix("errorstat_ERR:count=") }
        return try #require(line.flatMap { Int($0.dropFirst("errorstat_ERR:count=".count)) })
    }

    @Test("the user of the Sentinels needs no more rights than the documentation gives; what is wrong is named")
    func credentials() async throws {
        let redis = try RedisServer()
        let sentinels = try Self.sentinels(3, watching: redis.port)
        for sentinel in sentinels {
            let rights = try DocumentedRights.arguments(DocumentedRights.sentinel)
            #expect(try sentinel.command(rights) == "OK")
            #expect(try sentinel.command("ACL", "SETUSER", "default", "off") == "OK")
        }
        let proxies = try sentinels.map { try FaultProxy(target: $0.port) }
        func settings(_ password: String?) -> StoreSettings {
            let credentials = password.map { RedisCredentials(username: "limpet", password: $0) }
            return SentinelDriver.settings(
                SentinelSettings(
                    endpoints: proxies.map {
                        RedisEndpoint(address: .host("127.0.0.1", port: $0.port), credentials: credentials)
                    }, primaryName: SentinelDeployment.primaryName))
        }
        let driver = try SentinelDriver(settings("hush"))
        try await driver.inUse(redis.port)
        #expect(!driver.lines.all.contains { $0.hasPrefix("warning") }, "\(driver.lines.all)")
        try await driver.stop()

        for (password, reason) in [("loud", "the username or password is wrong"), (nil, "requires a password")] {
            let driver = try SentinelDriver(settings(password))
            try await eventually { driver.count(reason) == 3 }
            let connections = try proxies.map { try $0.accepted.count }
            // Each has been tried again, twice.
            try await eventually {
                try zip(proxies, connections).allSatisfy { try $0.accepted.count >= $1 + 2 }
            }
            #expect(driver.count("warning A Sentinel cannot name the primary.") == 3, "\(driver.lines.all)")
            #expect(driver.lines.all.allSatisfy { !$0.contains("loud") })
            try await driver.stop()
        }
    }

    @Test(
        "a right that the Sentinels' user lacks is named",
        arguments: [
            ("+sentinel|master", "the user has no permission to run SENTINEL|MASTER"),
            ("+subscribe", "the user has no permission to run SUBSCRIBE"),
            ("&+switch-master", "the user has no permission for the channel of fail-overs (&+switch-master)"),
        ])
    func missingRight(_ right: String, _ reason: String) async throws {
        let redis = try RedisServer()
        let sentinel = try Self.sentinels(1, watching: redis.port)[0]
        let rights = try DocumentedRights.arguments(DocumentedRights.sentinel).filter { $0 != right }
        #expect(try sentinel.command(rights) == "OK")
        let driver = try SentinelDriver([sentinel.port], password: "hush")
        try await eventually { driver.count("reason=\(reason)") == 1 }
        try await driver.stop()
    }

    @Test("Sentinels and the primary are reached over TLS, each with its own authority")
    func tls() async throws {
        let redis = try TLSRedis()
        let authority = try TestAuthority(in: TemporaryFile.path())
        let own = try authority.issue("sentinel", "IP:127.0.0.1")
        let tlsPort = try LoopbackPort.free()
        let sentinel = try SentinelProcess([
            "tls-port \(tlsPort)", "tls-cert-file \(own.certificate)", "tls-key-file \(own.key)",
            "tls-ca-cert-file \(redis.authority.root.certificate)", "tls-auth-clients no", "tls-replication yes",
            "sentinel monitor \(SentinelDeployment.primaryName) 127.0.0.1 \(redis.port) 1",
        ])
        var trust = ClientTLSSettings()
        trust.authorities = try ServerCertificate.authorities(authority.root.certificateBytes)
        var settings = SentinelDriver.settings(
            SentinelSettings(
                endpoints: [RedisEndpoint(address: .host("127.0.0.1", port: tlsPort), usesTLS: true)],
                primaryName: SentinelDeployment.primaryName, tls: .fixed(trust)))
        settings.endpoint.usesTLS = true
        settings.tls = .fixed(try redis.trusting())
        let driver = try SentinelDriver(settings)
        try await driver.inUse(redis.port)
        #expect(driver.count("The store is available. store=rediss://127.0.0.1:\(redis.port)/0") == 1)
        try await driver.stop()

        // The authority of the primary is not that of the Sentinels.
        settings.sentinel?.tls = settings.tls
        let other = try SentinelDriver(settings)
        try await eventually {
            other.count("the server's certificate is of an unknown authority") == 1
        }
        #expect(try other.status.primary == nil)
        try await other.stop()
        withExtendedLifetime(sentinel) {}
    }

    @Test("a Sentinel that returns with another address under its old name is found")
    func otherAddress() async throws {
        let redis = try RedisServer()
        let port = try LoopbackPort.free()
        let address = Mutex("127.0.0.2")
        let lines = SentinelDeployment.lines(watching: redis.port, .init())
        let first = try SentinelProcess(lines, host: "127.0.0.2", port: port)
        let resolver = NameResolver { _ in
            .success([address.withLock { $0 }].compactMap { try? SocketAddress(ipAddress: $0, port: 0) })
        }
        let settings = SentinelDriver.settings(
            SentinelSettings(
                endpoints: [RedisEndpoint(address: .host("sentinel.example", port: port))],
                primaryName: SentinelDeployment.primaryName))
        let named = SentinelEndpoints(template: settings.endpoint)
        let driver = try SentinelDriver(
            RedisPrimary(settings, endpoints: named, named: named, connections: 1, resolver: resolver))
        try await driver.inUse(redis.port)
        first.kill()
        try await eventually { try driver.status.heard == 0 }
        let second = try SentinelProcess(lines, host: "127.0.0.3", port: port)
        address.withLock { $0 = "127.0.0.3" }
        try await eventually { try driver.status.heard == 1 }
        #expect(driver.channel.isLive)
        try await driver.stop()
        withExtendedLifetime(second) {}
    }
}
