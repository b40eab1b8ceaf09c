import Affinity
import Foundation
import LimpetTestKit
import Logging
import NIOCore
import NIOPosix
import Networking
import Synchronization
import TLS
import Testing

@testable import Store

@Suite("The store over TLS")
struct RedisTLSTests {
    private let minute: Int64 = 60_000
    private let one = BackendHash(bits: 1)

    @Test(
        "Data and subscription are over TLS, by name and by address, with TLS 1.2 and 1.3",
        arguments: ["TLSv1.2", "TLSv1.3"], ["127.0.0.1", "localhost"])
    func serves(_ version: String, _ host: String) async throws {
        let redis = try TLSRedis(demandsCertificates: true, protocols: version)
        var tls = try redis.trusting()
        tls.certificate = try ServerCertificate(chain: redis.client.certificateBytes, key: redis.client.keyBytes)
        let driver = try ChannelDriver(redis.settings(tls, host: host))
        try await driver.live()
        #expect(try await driver.store.send(.create(.test(1), one, lifetimeMilliseconds: minute)) == .written)
        // A reply that takes several records of TLS.
        let many = (0..<2000).map { StoreOperation.create(.test(100 + $0), one, lifetimeMilliseconds: minute) }
        #expect(try await driver.store.send(many).allSatisfy { $0 == .written })
        let peers = try redis.server.command("CLIENT", "LIST").split(separator: "\n").filter {
            $0.contains(":\(redis.port) ")
        }
        #expect(peers.count == 2)
        try await driver.stop()
    }

    @Test("A name in the settings is asked for and verified in place of the host; without verification any will do")
    func names() async throws {
        let redis = try TLSRedis(names: "DNS:redis.internal")
        var named = try redis.trusting()
        named.serverName = "redis.internal"
        var insecure = ClientTLSSettings()
        insecure.isInsecure = true
        for tls in [named, insecure] {
            let store = try StoreDriver.redis(redis.settings(tls))
            try await store.ready()
            try await store.stop()
        }
    }

    private static func said(_ settings: StoreSettings, by redis: TLSRedis) async throws -> [String] {
        let driver = try ChannelDriver(settings)
        let store = driver.store
        // The two connections share two attempts a second, and each waits for a random time when the other was first.
        try await eventually {
            try await store.counters().connectionFailures >= 2 && driver.counters.connectionFailures >= 2
        }
        #expect(try await !store.isAvailable)
        #expect(
            try await store.send(.touch(.test(1), lifetimeMilliseconds: 60_000)) == .unavailable(.away),
            "served without the store")
        let lines = store.lines.all
        try await driver.stop()
        return lines.map { line in
            let reason = line.split(separator: "reason=").last.map(String.init) ?? ""
            return String(reason[..<(reason.firstRange(of: " store=")?.lowerBound ?? reason.endIndex)])
        }
    }

    @Test("What keeps TLS from being used is said once each, with what to change")
    func mistakes() async throws {
        let redis = try TLSRedis()
        let right = try redis.trusting()
        var named = right
        named.serverName = "other.example"
        let expired = try TLSRedis(isExpired: true)
        let demanding = try TLSRedis(demandsCertificates: true)
        let demanding12 = try TLSRedis(demandsCertificates: true, protocols: "TLSv1.2")
        let stranger = try TestAuthority(in: TemporaryFile.path(), name: "Stranger").issue("stranger", "DNS:limpet")
        var strange = try demanding.trusting()
        strange.certificate = try ServerCertificate(chain: stranger.certificateBytes, key: stranger.keyBytes)
        var outdated = try demanding.trusting()
        let old = try demanding.authority.issue("old", "DNS:limpet", isExpired: true)
        outdated.certificate = try ServerCertificate(chain: old.certificateBytes, key: old.keyBytes)
        var strange12 = try demanding12.trusting()
        strange12.certificate = strange.certificate
        let oldAuthority = try TLSRedis()
        try oldAuthority.authority.expire()
        var bundle = try oldAuthority.trusting()
        bundle.authorities?.append(contentsOf: right.authorities ?? [])
        var plainPort = try redis.settings(right)
        plainPort.endpoint = try RedisEndpoint("rediss://127.0.0.1:\(redis.server.port)")
        plainPort.connectTimeout = .milliseconds(300)
        var tlsPort = try redis.settings(right)
        tlsPort.endpoint = try RedisEndpoint("redis://127.0.0.1:\(redis.port)")
        let cases: [(StoreSettings, TLSRedis, String)] = [
            (try redis.settings(ClientTLSSettings()), redis, "unknown authority: name the authority in tls.ca"),
            (try redis.settings(named), redis, "for another name: set tls.serverName"),
            (try expired.settings(expired.trusting()), expired, "has expired, or is not valid yet: renew it"),
            (try demanding.settings(demanding.trusting()), demanding, "set tls.cert and tls.key (alert 116)"),
            (try demanding.settings(strange), demanding, "the certificate in tls.cert: its authority is unknown there"),
            (try demanding12.settings(strange12), demanding12, "the certificate in tls.cert: its authority is unknown"),
            (try demanding.settings(outdated), demanding, "the certificate in tls.cert: it has expired (alert 45)"),
            (try oldAuthority.settings(oldAuthority.trusting()), oldAuthority, "the authority in tls.ca has expired"),
            (try oldAuthority.settings(bundle), oldAuthority, "the server's certificate, or an authority in tls.ca,"),
            (try demanding12.settings(demanding12.trusting()), demanding12, "set tls.cert and tls.key (alert 40)"),
            (plainPort, redis, "a port without TLS does not answer it, and needs redis://"),
            (tlsPort, redis, "rediss://"),
        ]
        try await withThrowingTaskGroup { group in
            for (settings, redis, text) in cases {
                group.addTask {
                    let said = try await Self.said(settings, by: redis)
                    // Once by the store, and once by the channel.
                    #expect(said.count == 2 && said.allSatisfy { $0.contains(text) }, "\(text): \(said)")
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("Renewed files are used at the next connection; broken ones are said once, and the last ones stay in use")
    func renewal() async throws {
        let redis = try TLSRedis(demandsCertificates: true)
        var right = try redis.trusting()
        right.certificate = try ServerCertificate(chain: redis.client.certificateBytes, key: redis.client.keyBytes)
        let lines = LogLines()
        struct Broken: Error, CustomStringConvertible { let description = "tls.ca: /x cannot be read" }
        let files = Mutex<Result<ClientTLSSettings, Broken>>(.success(ClientTLSSettings()))
        var settings = try redis.settings(right)
        settings.tls = RedisTLS(ClientTLSSettings(), logger: Logger(label: "test") { _ in lines.handler }) {
            try files.withLock { $0 }.get()
        }
        let store = try StoreDriver.redis(settings)
        try await eventually { try await store.counters().connectionFailures >= 1 }
        files.withLock { $0 = .success(right) }
        try await store.ready()
        #expect(lines.all.isEmpty)
        files.withLock { $0 = .failure(Broken()) }
        for _ in 0..<3 {
            let made = try await store.counters().connections
            try redis.server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            try await eventually { try await store.counters().connections > made }
            try await store.ready()
        }
        #expect(
            lines.all == [
                "warning The certificates for the store cannot be read; the last ones stay in use. "
                    + "reason=tls.ca: /x cannot be read"
            ])
        try await store.stop()
    }

    @Test("The files that hang do not keep a connection from being made")
    func hangingFiles() async throws {
        let redis = try TLSRedis()
        let right = try redis.trusting()
        let release = DispatchSemaphore(value: 0)
        var settings = try redis.settings(right)
        settings.tls = RedisTLS(right, logger: Logger(label: "test") { _ in LogLines().handler }) {
            release.wait()
            return right
        }
        let driver = try ChannelDriver(settings)
        try await driver.live()
        release.signal()
        release.signal()
        try await driver.stop()
    }

    @Test("A second connection resumes the session of the first", arguments: ["TLSv1.2", "TLSv1.3"])
    func resumption(_ version: String) async throws {
        let redis = try TLSRedis(protocols: version)
        let settings = try redis.settings(redis.trusting())
        let store = try StoreDriver.redis(settings)
        try await store.ready()
        // TLS 1.3 hands out sessions after the handshake.
        #expect(try await store.send(.create(.test(1), one, lifetimeMilliseconds: minute)) == .written)
        let client = try await #require(settings.tls).current(on: store.loop).get()
        #expect(client.resumptions == 0)
        try redis.server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        try await eventually { try await store.counters().connections == 2 }
        try await store.ready()
        #expect(client.resumptions == 1)
        try await store.stop()
    }
}
