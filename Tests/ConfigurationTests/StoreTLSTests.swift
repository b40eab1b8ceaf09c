import LimpetTestKit
import Store
import TLS
import Testing

@testable import Configuration

@Suite("store.redis.tls")
struct StoreTLSTests {
    private static func redis(_ keys: String) throws -> RedisOptions {
        let yaml = "fleet: { secret: 0123456789abcdef }\nstore: { redis: { \(keys) } }"
        return try #require(try ConfigurationSample.read(yaml).configuration.store.redis)
    }

    @Test("is not needed with rediss://: the system's authorities vouch for the host of the endpoint")
    func leftOut() throws {
        for keys in [#"endpoints: ["rediss://a:7"]"#, #"endpoints: ["rediss://a:7"], tls: {}"#] {
            let redis = try Self.redis(keys)
            #expect(redis.endpoint.usesTLS && redis.tls?.settings == ClientTLSSettings())
        }
        #expect(try Self.redis(#"endpoints: ["redis://a:7"]"#).tls == nil)
        #expect(try Self.redis("").tls == nil)
    }

    @Test("warns of certificates that have expired or soon will, once each; an old authority beside a new one may")
    func dates() throws {
        let old = try TestAuthority(in: TemporaryFile.path())
        let new = try TestAuthority(in: TemporaryFile.path())
        let pair = try new.issue("old", "DNS:limpet", isExpired: true)
        let soon = try new.issue("soon", "DNS:limpet", days: 3)
        try old.expire()
        let both = TemporaryFile.path()
        try TextFile.write(TextFile.read(old.root.certificate) + TextFile.read(new.root.certificate), to: both)
        func said(_ tls: String, _ more: String = "") -> [String] {
            ConfigurationSample.diagnostics(
                "fleet: { secret: 0123456789abcdef }\nstore: { redis: { endpoints: [\"rediss://a\"], tls: { \(tls) }\(more) } }"
            ).filter { !$0.contains("fewer than three Sentinels") }.map { $0.replacing(#/^[0-9]+:[0-9]+: /#, with: "") }
        }
        let expired = said("ca: \(old.root.certificate), cert: \(pair.certificate), key: \(pair.key)")
        #expect(expired.count == 2)
        #expect(expired.first?.hasPrefix("warning: store.redis.tls.ca: \(old.root.certificate) expired on ") == true)
        #expect(expired.first?.hasSuffix(", and no certificate of it is accepted: renew it") == true)
        #expect(
            expired.last
                == "warning: store.redis.tls.cert: \(pair.certificate) expired on 2020-12-31, and the server refuses it: "
                + "renew it")
        let due = said("cert: \(soon.certificate), key: \(soon.key)", ", sentinel: { masterName: m }")
        #expect(due.count == 1 && due[0].contains(/soon.pem expires on .*, in [23] days$/), "\(due)")
        #expect(said("ca: \(both)").isEmpty)
    }

    @Test("warns of what has no effect without verification")
    func unverified() throws {
        let authority = try TestAuthority(in: TemporaryFile.path())
        let said = ConfigurationSample.diagnostics(
            """
            fleet: { secret: 0123456789abcdef }
            store:
              redis:
                endpoints: ["rediss://a"]
                tls: { insecureSkipVerify: true, ca: \(authority.root.certificate), serverName: b }
            """)
        #expect(
            said.map { $0.replacing(#/^[0-9]+:[0-9]+: /#, with: "") } == [
                "warning: store.redis.tls.ca: has no effect: insecureSkipVerify accepts any certificate",
                "warning: store.redis.tls.serverName: is asked for, but not verified: insecureSkipVerify accepts any "
                    + "certificate",
            ])
    }

    @Test("names files that are read at the start and can be read again, and no text form shows the key")
    func files() throws {
        let authority = try TestAuthority(in: TemporaryFile.path())
        let first = try authority.issue("first", "DNS:limpet")
        let second = try authority.issue("second", "DNS:limpet")
        let (cert, key) = (TemporaryFile.path(), TemporaryFile.path())
        func install(_ pair: TestAuthority.Pair) throws {
            try TextFile.write(TextFile.read(pair.certificate), to: cert)
            try TextFile.write(TextFile.read(pair.key), to: key)
        }
        try install(first)
        let keys = """
            endpoints: ["rediss://a"],
            tls: { ca: \(authority.root.certificate), cert: \(cert), key: \(key), serverName: R.Internal, insecureSkipVerify: true }
            """
        let tls = try #require(try Self.redis(keys).tls)
        #expect(tls.settings.serverName == "r.internal" && tls.settings.isInsecure)
        #expect(try tls.settings.authorities == ServerCertificate.authorities(authority.root.certificateBytes))
        #expect(
            try tls.settings.certificate
                == ServerCertificate(chain: first.certificateBytes, key: first.keyBytes))
        #expect(try tls.reread() == tls.settings)
        try install(second)
        let renewed = try tls.reread()
        #expect(try Self.redis(keys).tls == tls, "renewed files need no restart")
        #expect(try Self.redis(keys.replacing("R.Internal", with: "other")).tls != tls)
        #expect(renewed != tls.settings && renewed.serverName == "r.internal" && renewed.isInsecure)
        try TextFile.write("", to: key)
        let fault = #expect(throws: ClientTLSOptions.Fault.self) { try tls.reread() }
        #expect(fault?.description == "tls.key: \(key) contains no private key in PEM form")

        let text = try TextFile.read(first.key)
        let inline = try Self.redis(
            "endpoints: [\"rediss://a\"], tls: { cert: \(first.certificate), key: \"\(text.replacing("\n", with: "\\n"))\" }"
        )
        #expect(inline.tls?.settings.certificate != nil)
        var dumped = "\(inline)" + String(reflecting: inline)
        dump(inline, to: &dumped)
        #expect(!dumped.contains("PRIVATE KEY"))
    }
}
