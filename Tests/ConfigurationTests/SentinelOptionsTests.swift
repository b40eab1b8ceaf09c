import LimpetTestKit
import Store
import TLS
import Testing

@testable import Configuration

@Suite("store.redis.sentinel")
struct SentinelOptionsTests {
    private static func read(_ keys: String) throws -> RedisOptions {
        let yaml = "fleet: { secret: 0123456789abcdef }\nstore: { redis: { \(keys) } }"
        return try #require(try ConfigurationSample.read(yaml).configuration.store.redis)
    }

    @Test("makes the endpoints Sentinels; the database is the primary's, and each side has its credentials")
    func sentinels() throws {
        let redis = try Self.read(
            """
            endpoints: ["redis://a/3", "redis://b:26380/3"], username: app, password: one,
            sentinel: { masterName: main, username: watcher, password: two }
            """)
        let sentinel = try #require(redis.sentinel)
        #expect(sentinel.primaryName == "main")
        let credentials = RedisCredentials(username: "watcher", password: "two")
        #expect(
            sentinel.endpoints == [
                RedisEndpoint(address: .host("a", port: 26379), credentials: credentials),
                RedisEndpoint(address: .host("b", port: 26380), credentials: credentials),
            ])
        #expect(redis.endpoint.database == 3)
        #expect(redis.endpoint.credentials == RedisCredentials(username: "app", password: "one"))
        #expect(redis.tls == nil && sentinel.tls == nil && !redis.endpoint.usesTLS)
        #expect(redis.place == "main, by the Sentinels redis://a:26379/0, redis://b:26380/0")
    }

    @Test(
        "TLS of the Sentinels is by their scheme, that of the primary by tls, which serves both unless they have their own"
    )
    func tls() throws {
        let both = try Self.read(
            #"endpoints: ["rediss://a"], tls: { serverName: redis.internal }, sentinel: { masterName: m }"#)
        #expect(both.endpoint.usesTLS && both.sentinel?.endpoints.allSatisfy(\.usesTLS) == true)
        #expect(both.tls?.settings.serverName == "redis.internal")
        #expect(both.sentinel?.tls == both.tls)
        let own = try Self.read(
            #"endpoints: ["rediss://a"], tls: {}, sentinel: { masterName: m, tls: { serverName: s.internal } }"#)
        #expect(own.sentinel?.tls?.settings.serverName == "s.internal" && own.tls?.settings.serverName == nil)
        let primaryAlone = try Self.read(#"endpoints: ["redis://a"], tls: {}, sentinel: { masterName: m }"#)
        #expect(primaryAlone.endpoint.usesTLS && primaryAlone.sentinel?.tls == nil)
        #expect(primaryAlone.sentinel?.endpoints.contains(where: \.usesTLS) == false)
    }

    private static func said(_ endpoints: String) -> [String] {
        ConfigurationSample.diagnostics(
            "fleet: { secret: 0123456789abcdef }\n"
                + "store: { redis: { endpoints: [\(endpoints)], sentinel: { masterName: m } } }")
    }

    @Test("counts each Sentinel once, however its name is written")
    func letterCase() {
        let said = Self.said(#""redis://s1.example", "redis://S2.example", "redis://s2.EXAMPLE:26379""#)
        #expect(said.count == 1 && said[0].contains("must not name a Sentinel twice"), "\(said)")
        #expect(Self.said("unix:///a, unix:///A, unix:///b").isEmpty)
    }

    @Test("warns of fewer than three Sentinels, one with a mistake included")
    func few() {
        let warning = "store.redis.endpoints: names fewer than three Sentinels"
        for endpoints in ["redis://a", "redis://a, redis://b"] {
            let said = Self.said(endpoints)
            #expect(said.count == 1 && said[0].contains("warning: \(warning)"), "\(said)")
        }
        for endpoints in ["redis://a, redis://b, redis://c", "redis://a, redis://b, rubbish", ""] {
            #expect(!Self.said(endpoints).contains { $0.contains(warning) })
        }
    }
}
