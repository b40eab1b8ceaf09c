import Configuration
import LimpetTestKit
import Testing

@testable import Control

@Suite("The fingerprint of a configuration")
struct ConfigurationFingerprintTests {
    private static let base = """
        fleet: { secret: "0123456789abcdef", namespace: shop-fleet }
        replica: { name: r1 }
        store: { lease: 500ms }
        http:
          routers: { shop: { rule: "PathPrefix(`/`)", service: shop } }
          services:
            shop:
              loadBalancer:
                sticky:
                  header: X-Session-ID
                  cookie: { name: sid }
                  idleTimeout: 30m
                  absoluteTimeout: 12h
                  onUnavailable: move
                servers:
                  - { url: "http://10.0.0.11:8080", name: web-1, weight: 2 }
                  - { url: "http://10.0.0.12:8080", name: web-2 }
            files:
              loadBalancer:
                sticky: { clientIP: { ipv4Prefix: 24 } }
                servers: [{ url: "http://10.0.0.21:8080" }]

        """

    private static func fingerprint(_ yaml: String) throws -> ConfigurationFingerprint {
        let configuration = try ReplicaConfiguration.read(yaml)
        return ConfigurationFingerprint(configuration, keys: FleetKeys(configuration.fleet))
    }

    /// Of the base with one text in it replaced by another.
    private static func fingerprint(of old: String, as new: String) throws -> ConfigurationFingerprint {
        try #require(base.contains(old))
        return try fingerprint(base.replacing(old, with: new, maxReplacements: 1))
    }

    /// Computed by another implementation of HKDF and HMAC.
    @Test("never changes from one version to the next")
    func golden() throws {
        #expect(try Self.fingerprint(Self.base).description == "6ddfb04a370bba75")
    }

    @Test("is the same however the same is written")
    func order() throws {
        let reordered = """
            http:
              services:
                files:
                  loadBalancer:
                    servers: [{ weight: 1, url: "http://10.0.0.21:8080" }]
                    sticky: { clientIP: { ipv6Prefix: 64, ipv4Prefix: 24 }, onUnavailable: Move, idleTimeout: 24h }
                shop:
                  loadBalancer:
                    servers:
                      - { name: web-2, url: "http://10.0.0.12:8080" }
                      - { name: web-1, weight: 2, url: "http://10.0.0.11:8080" }
                    sticky:
                      absoluteTimeout: 43200
                      idleTimeout: 1800s
                      cookie: { name: sid }
                      header: { name: x-session-id }
              routers: { shop: { rule: "PathPrefix(`/`)", service: shop@file } }
            fleet: { namespace: shop-fleet, secret: "0123456789abcdef" }
            """
        #expect(try Self.fingerprint(reordered) == Self.fingerprint(Self.base))
    }

    static let relevant: [(String, String)] = [
        ("\"0123456789abcdef\"", "\"0123456789abcdeg\""), ("namespace: shop-fleet", "namespace: shop"),
        ("    shop:\n", "    shoq:\n"), ("name: web-1,", "name: web-3,"), ("weight: 2", "weight: 3"),
        ("weight: 2", "weight: 0"), ("          - { url: \"http://10.0.0.12:8080\", name: web-2 }\n", ""),
        ("url: \"http://10.0.0.21:8080\"", "url: \"http://10.0.0.22:8080\""),
        ("header: X-Session-ID", "header: X-Session"), ("header: X-Session-ID", "query: X-Session-ID"),
        ("header: X-Session-ID", "appCookie: X-Session-ID"),
        ("header: X-Session-ID", "header: X-Session-ID\n          query: sid"),
        ("cookie: { name: sid }", "cookie: { name: SID }"), ("          cookie: { name: sid }\n", ""),
        ("idleTimeout: 30m", "idleTimeout: 31m"), ("absoluteTimeout: 12h", "absoluteTimeout: 13h"),
        ("          absoluteTimeout: 12h\n", ""), ("onUnavailable: move", "onUnavailable: detour"),
        ("onUnavailable: move", "onUnavailable: reject"), ("ipv4Prefix: 24", "ipv4Prefix: 25"),
        ("ipv4Prefix: 24", "ipv4Prefix: 24, ipv6Prefix: 48"),
        ("        sticky: { clientIP: { ipv4Prefix: 24 } }\n", ""),
        ("header: X-Session-ID", "header: { name: X-Session-ID, learn: true }"),
        ("header: X-Session-ID", "appCookie: { name: X-Session-ID, learn: false }"),
        ("cookie: { name: sid }", "cookie: { name: sid, acceptTraefikCookie: true }"),
        ("sticky: { clientIP: { ipv4Prefix: 24 } }", "strategy: wrr\n        sticky: { clientIP: { ipv4Prefix: 24 } }"),
        ("sticky: { clientIP: { ipv4Prefix: 24 } }", "strategy: p2c\n        sticky: { clientIP: { ipv4Prefix: 24 } }"),
        ("    files:\n", "    both: { weighted: { services: [{ name: shop }, { name: files }] } }\n    files:\n"),
        (
            "    files:\n",
            "    both: { weighted: { services: [{ name: shop, weight: 2 }, { name: files }] } }\n    files:\n"
        ),
        ("    files:\n", "    both: { weighted: { services: [{ name: shop }] } }\n    files:\n"),
        ("    files:\n", "    both: { failover: { service: shop, fallback: files } }\n    files:\n"),
        ("    files:\n", "    both: { failover: { service: files, fallback: shop } }\n    files:\n"),
        (
            "    files:\n",
            "    both: { weighted: { services: [{ name: shop }], sticky: { cookie: { name: a } } } }\n    files:\n"
        ),
    ]

    @Test("differs where anything that must be equal everywhere differs")
    func relevantChanges() throws {
        var seen = [try Self.fingerprint(Self.base): "the base"]
        for (old, new) in Self.relevant {
            let change = "\(old) → \(new)"
            // The service is named by its router, too.
            let text = Self.base.replacing(old, with: new, maxReplacements: 1)
                .replacing("service: shop }", with: old.contains("shop:") ? "service: shoq }" : "service: shop }")
            try #require(Self.base.contains(old), "\(change)")
            let other = seen.updateValue(change, forKey: try Self.fingerprint(text))
            #expect(other == nil, "\(change) is as \(other ?? "")")
        }
    }

    static let irrelevant: [(String, String)] = [
        ("http://10.0.0.11:8080", "http://10.9.0.11:9090"), ("name: web-2 }", "name: web-2, draining: true }"),
        ("cookie: { name: sid }", "cookie: { name: sid, secure: true, httpOnly: true, path: /a, maxAge: 60 }"),
        ("name: r1", "name: r2, threads: 1"), ("lease: 500ms", "lease: 1s, cache: { entries: 7 }"),
        ("PathPrefix(`/`)", "PathPrefix(`/shop`)"),
        ("loadBalancer:\n", "loadBalancer:\n        passHostHeader: false\n"),
        ("loadBalancer:\n        sticky", "loadBalancer:\n        strategy: hrw\n        sticky"),
    ]

    @Test("is the same where only what a replica decides for itself differs", arguments: irrelevant.map(\.0))
    func irrelevantChange(_ old: String) throws {
        let new = try #require(Self.irrelevant.first { $0.0 == old }).1
        #expect(try Self.fingerprint(of: old, as: new) == Self.fingerprint(Self.base))
    }

    @Test("does not depend on the keys that seal cookies")
    func cookieKeys() throws {
        try TemporaryFile.with("another key of some length") { path in
            let keys = "namespace: shop-fleet, cookieKeyFiles: [\(path)]"
            let other = try Self.fingerprint(of: "namespace: shop-fleet", as: keys)
            #expect(try other == Self.fingerprint(Self.base))
        }
    }

    @Test("of a name that holds another's end is not that of the two moved along")
    func lengths() throws {
        let one = "http: { services: { ab: { loadBalancer: { servers: [{url: \"http://h\", name: c}] } } } }"
        let other = "http: { services: { a: { loadBalancer: { servers: [{url: \"http://h\", name: bc}] } } } }"
        let secret = "\nfleet: { secret: 0123456789abcdef }"
        #expect(try Self.fingerprint(one + secret) != Self.fingerprint(other + secret))
    }

    @Test("without a secret is another one each time, and never the text of a key")
    func withoutSecret() throws {
        let yaml = Self.base.replacing("secret: \"0123456789abcdef\", ", with: "")
        #expect(try Self.fingerprint(yaml) != Self.fingerprint(yaml))
    }

    @Test("has 16 hexadecimal digits", arguments: 0..<20)
    func text(_ number: Int) throws {
        let text = try Self.fingerprint(of: "weight: 2", as: "weight: \(number + 100)").description
        #expect(text.wholeMatch(of: /[0-9a-f]{16}/) != nil)
    }
}
