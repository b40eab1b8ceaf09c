import Affinity
import LimpetTestKit
import NIOCore
import Networking
import TLS
import Testing

@testable import Store

@Suite("A store's name with several addresses")
struct StoreAddressTests {
    private static func primary(
        _ settings: StoreSettings, addresses: [String]
    ) -> RedisPrimary {
        let resolver = NameResolver { _ in
            .success(addresses.compactMap { try? SocketAddress(ipAddress: $0, port: 0) })
        }
        return RedisPrimary(
            settings, endpoints: FixedEndpoint(endpoint: settings.endpoint), connections: 1, resolver: resolver)
    }

    private static func settings(_ port: Int) throws -> StoreSettings {
        try StoreSettings(
            endpoint: RedisEndpoint("redis://store.example:\(port)"), connectTimeout: .seconds(2),
            commandTimeout: .seconds(5), lease: .seconds(10))
    }

    private static func timeUntilLive(_ primary: RedisPrimary) async throws -> (Duration, ChannelDriver) {
        let clock = ContinuousClock()
        let start = clock.now
        let driver = try ChannelDriver(primary)
        try await driver.live()
        return (clock.now - start, driver)
    }

    @Test("The next one is tried at once when one refuses, and when one is a replica; nothing is said")
    func refusesOrReplica() async throws {
        let server = try RedisServer()
        // The same port on other addresses; nothing listens on 127.0.0.4.
        let replicas = try ["127.0.0.2", "127.0.0.3"].map {
            try RedisServer(["--bind", $0, "--replicaof", "127.0.0.1 \(server.port)"], port: server.port)
        }
        for addresses in [
            ["127.0.0.4", "127.0.0.1"], ["127.0.0.2", "127.0.0.1"],
            ["127.0.0.2", "127.0.0.4", "127.0.0.3", "127.0.0.1"],
            ["::1", "127.0.0.1"],
        ] {
            let primary = try Self.primary(Self.settings(server.port), addresses: addresses)
            let (_, driver) = try await Self.timeUntilLive(primary)
            // There is no wait without a failure.
            #expect(try await driver.store.counters().connectionFailures == 0, "\(addresses)")
            #expect(try driver.counters.connectionFailures == 0, "\(addresses)")
            #expect(try await driver.store.counters().connections == 1)
            #expect(!driver.store.lines.all.contains { $0.hasPrefix("warning") }, "\(driver.store.lines.all)")
            try await driver.stop()
        }
        withExtendedLifetime(replicas) {}
    }

    @Test("If none is to be used, each cause is said once")
    func none() async throws {
        let server = try RedisServer()
        let replica = try RedisServer(
            ["--bind", "127.0.0.2", "--replicaof", "127.0.0.1 \(server.port)"], port: server.port)
        let primary = try Self.primary(Self.settings(server.port), addresses: ["127.0.0.2", "127.0.0.4"])
        let store = try StoreDriver.redis(primary)
        try await eventually { try await store.counters().connectionFailures >= 6 }
        let reasons = store.lines.all.map { $0.split(separator: "reason=").last?.prefix(23) }
        #expect(reasons == ["the server is a replica", "cannot connect: connect"])
        try await store.stop()
        withExtendedLifetime(replica) {}
    }

    @Test("One that is silent costs a quarter of a second if another follows")
    func silent() async throws {
        let server = try RedisServer()
        let full = try FullListener(host: 5, port: server.port)
        var settings = try Self.settings(server.port)
        settings.connectTimeout = .seconds(20)
        let primary = Self.primary(settings, addresses: ["127.0.0.5", "127.0.0.1"])
        let (time, driver) = try await Self.timeUntilLive(primary)
        #expect(time >= .milliseconds(250) && time < .seconds(15), "\(time)")
        try await driver.stop()
        withExtendedLifetime(full) {}
    }

    @Test("After a fail-over the other address is found without a word from anybody")
    func failover() async throws {
        let old = try RedisServer()
        let new = try RedisServer(["--bind", "127.0.0.2", "--replicaof", "127.0.0.1 \(old.port)"], port: old.port)
        try await eventually {
            try new.command("INFO", "replication").contains("master_link_status:up")
        }
        let primary = try Self.primary(Self.settings(old.port), addresses: ["127.0.0.1", "127.0.0.2"])
        let (_, driver) = try await Self.timeUntilLive(primary)
        try new.command("REPLICAOF", "NO", "ONE")
        try old.command("REPLICAOF", "127.0.0.2", String(old.port))
        try await eventually {
            guard try await driver.store.isAvailable else { return false }
            let operation = StoreOperation.create(.test(9), BackendHash(bits: 1), lifetimeMilliseconds: 60_000)
            return try await driver.store.send(operation) == .written
        }
        #expect(try new.command("EXISTS", "limpet:\(Fingerprint.test(9).text)") == "1")
        try await driver.stop()
    }

    @Test("An IPv6 address is a host, too, with TLS and without")
    func ipv6() async throws {
        let port = try LoopbackPort.free()
        let authority = try TestAuthority(in: TemporaryFile.path())
        let own = try authority.issue("redis", "IP:::1")
        let server = try RedisServer([
            "--bind", "127.0.0.1", "::1", "--tls-port", String(port), "--tls-cert-file", own.certificate,
            "--tls-key-file", own.key, "--tls-ca-cert-file", authority.root.certificate, "--tls-auth-clients", "no",
        ])
        var tls = ClientTLSSettings()
        tls.authorities = try ServerCertificate.authorities(authority.root.certificateBytes)
        for url in ["redis://[::1]:\(server.port)/2", "rediss://[::1]:\(port)/2"] {
            var settings = try StoreSettings.patient(server)
            settings.endpoint = try RedisEndpoint(url)
            settings.tls = .fixed(tls)
            let store = try StoreDriver.redis(settings)
            try await store.ready()
            try await store.stop()
        }
    }
}
