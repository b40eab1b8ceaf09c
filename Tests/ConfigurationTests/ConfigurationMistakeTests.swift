import Configuration
import LimpetTestKit
import Testing

@Suite("A mistake in a configuration")
struct ConfigurationMistakeTests {
    /// The file, and every line that `check` says about it.
    static let files: [(String, [String])] = [
        (
            "entryPoint: {}\nbananas: 1\nping: {}\n",
            [
                "1:1: entryPoint: unknown key, did you mean entryPoints?",
                "2:1: bananas: unknown key: the keys here are entryPoints, providers, serversTransport, fleet, replica, store, log, "
                    + "accessLog, http, tls",
                "3:1: ping: is always on at the admin listener: remove this key",
            ]
        ),
        ("http: {}\n[a, b]: c\n", ["2:1: a key must be a string"]),
        ("- a\n", ["1:1: must be a mapping, but is a list"]),
        ("just text", ["1:1: must be a mapping, but is a single value"]),
        ("http: []", ["1:7: http: must be a mapping, but is a list"]),
        ("http: {\n", ["2:1: is not valid YAML: did not find expected node content"]),
        ("log: { level: info }\nlog: { level: debug }\n", ["1:1: \"log\" is defined twice in one mapping"]),
        (
            "log: { level: loud, format: xml, filePath: a }",
            [
                "1:15: log.level: is loud: must be one of trace, debug, info, notice, warning, error, critical",
                "1:29: log.format: is xml: must be one of json, common",
                "1:34: log.filePath: is not available in this version",
            ]
        ),
        (
            "accessLog: { format: common, filePath: [] }",
            [
                "1:22: accessLog.format: common is not available in this version",
                "1:40: accessLog.filePath: must be a string, but is a list",
            ]
        ),
        (
            """
            entryPoints:
              a: { address: ":8000" }
              b: { address: "127.0.0.1:8000" }
              c: { address: "0.0.0.0:8001" }
              d: { address: "[::1]:8001" }
              e: { address: "127.0.0.1:8001" }
              f: { address: ":8081" }
            """,
            [
                "3:17: entryPoints.b.address: is already the address of entry point a",
                "6:17: entryPoints.e.address: is already the address of entry point c",
                "7:17: entryPoints.f.address: is already the address of entry point admin",
            ]
        ),
        (
            "http:\n  services:\n    s: { loadBalancer: { servers: { url: \"http://a\" } } }\n",
            ["3:35: http.services.s.loadBalancer.servers: must be a list, but is a mapping"]
        ),
        (
            "http:\n  routers:\n    {{ range $i := until 3 }}\n    r{{ $i }}: {}\n    {{ end }}\n",
            [
                "4:5: is not valid YAML: did not find expected key: Go templates are not available in this version"
            ]
        ),
        (
            "http:\n  serversTransports: { t: { insecureSkipVerify: true, serverNam: 1 } }\n",
            [

                "2:55: http.serversTransports.t.serverNam: unknown key, did you mean serverName?"
            ]
        ),
        (
            "http:\n  routers:\n    a: { rule: \"Path(`/`)\", service: s }\n    b: {}\n    a: {}\n",
            ["3:5: \"a\" is defined twice in one mapping"]
        ),
        ("http: {}\n---\nhttp: {}\n", ["2:1: is not valid YAML: found another document"]),
        (
            "replica: { name: '', threads: 0 }",
            [
                "1:18: replica.name: must not be empty",
                "1:31: replica.threads: is 0: must be a whole number from 1 to 1024",
            ]
        ),
        (
            "replica: { name: 'a b' }",
            ["1:18: replica.name: must be 1 to 128 printable ASCII characters without spaces"]
        ),
        (
            "replica: { name: \"a\\r\\nX: y\" }",
            ["1:18: replica.name: must be 1 to 128 printable ASCII characters without spaces"]
        ),
        (
            "replica: { name: \(String(repeating: "a", count: 129)) }",
            ["1:18: replica.name: must be 1 to 128 printable ASCII characters without spaces"]
        ),
        (
            "entryPoints: { \"a\\e\": { address: ':1' }, '': { address: ':2' } }",
            [
                "1:16: entryPoints.a\\u001b: a name must not be empty or contain control characters",
                "1:42: entryPoints.: a name must not be empty or contain control characters",
            ]
        ),
        (
            "http: { middlewares: { \"a\\x9b\": { addPrefix: { prefix: /a } } } }",
            [
                "1:24: http.middlewares.a\\u009b: a name must not be empty or contain @ or control characters"
            ]
        ),
        (
            """
            entryPoints:
              web: { address: 8000 }
              a: { address: ":80a" }
              b: { address: "x y:80" }
              c: { address: ":8000", forwardedHeaders: { trustedIPs: [10.0.0.0/33, banana], insecure: true } }
              d: { address: ":8000", proxyProtocol: {} }
              e: {}
              admin: { address: ":1", forwardedHeaders: {} }
            """,
            [
                "2:19: entryPoints.web.address: \"8000\" has no port: write host:port, or :port for all interfaces",
                "3:17: entryPoints.a.address: \":80a\" has no valid port: write a number from 0 to 65535",
                "4:17: entryPoints.b.address: \"x y:80\" has no valid host: "
                    + "write a name, an IPv4 address or an [IPv6 address]",
                "5:59: entryPoints.c.forwardedHeaders.trustedIPs[0]: \"10.0.0.0/33\" has no valid prefix length: "
                    + "write 0 to 32 after the slash",
                "5:72: entryPoints.c.forwardedHeaders.trustedIPs[1]: \"banana\" is not an address range: "
                    + "write one like 10.0.0.0/8 or fd00::/8",
                "5:81: entryPoints.c.forwardedHeaders.insecure: is not available in this version",
                "6:17: entryPoints.d.address: is already the address of entry point c",
                "6:26: entryPoints.d.proxyProtocol: is not available in this version",
                "7:3: entryPoints.e.address: is missing: write host:port, or :port for all interfaces",
                "8:21: entryPoints.admin.address: is not an address of loopback, and without TLS everybody on the way "
                    + "reads it: write 127.0.0.1:1, or set http.tls",
                "8:27: entryPoints.admin.forwardedHeaders: unknown key: the keys here are address, http",
            ]
        ),
        (
            """
            fleet:
              secret: short
              cookieKeyFiles: /nowhere
              namespace: "a{b}"
            """,
            [
                "2:11: fleet.secret: has 5 bytes, but needs at least 16",
                "3:19: fleet.cookieKeyFiles: must be a list, but is a single value",
                "4:14: fleet.namespace: must be 1 to 64 characters: letters, digits and . _ - :",
            ]
        ),
        (
            "fleet: { secret: 0123456789abcdef, secretFile: /nowhere, cookieKeyFiles: [/nowhere/k] }",
            [
                "1:18: fleet.secret: cannot be combined with secretFile",
                "1:75: fleet.cookieKeyFiles[0]: /nowhere/k cannot be read: no such file or directory",
            ]
        ),
        (
            "fleet: { secretFile: /nowhere }\nstore: { redis: {} }",
            ["1:22: fleet.secretFile: /nowhere cannot be read: no such file or directory"]
        ),
        (
            "store:\n  redis:\n    endpoints: [redis://a:b@c]\n",
            [
                "2:3: store.redis: needs a fleet secret: set fleet.secretFile or LIMPET_FLEET_SECRET",
                "3:17: store.redis.endpoints[0]: must not contain credentials: set username and passwordFile",
            ]
        ),
        (
            """
            fleet: { secret: 0123456789abcdef }
            store: { redis: { endpoints: ["redis://u:100%@h:6379?db=1"] } }
            """,
            [
                "2:31: store.redis.endpoints[0]: must not contain credentials: set username and passwordFile",
                "2:31: store.redis.endpoints[0]: is not a valid Redis URL: "
                    + "the database follows a slash, as in redis://127.0.0.1:6379/1",
            ]
        ),
        (
            """
            fleet: { secret: 0123456789abcdef }
            store: { redis: { passwordFile: /dev/null } }
            """,
            ["2:33: store.redis.passwordFile: /dev/null cannot be read: not a regular file"]
        ),
        (
            """
            fleet: { secret: 0123456789abcdef }
            store: { redis: { password: "" } }
            """,
            ["2:29: warning: store.redis.password: is empty: an empty password is sent to Redis"]
        ),
        (
            """
            fleet: { secret: 0123456789abcdef }
            store:
              redis:
                endpoints: ["redis://a", "redis://b"]
                username: u
                sentinel: {}
                cluster: true
                connectTimeout: 0
                commandTimeout: 20
              cache: { entries: 0 }
              lease: -5ms
            """,
            [
                "4:16: warning: store.redis.endpoints: names fewer than three Sentinels: without one of them there is no majority, "
                    + "and no fail-over is followed",
                "5:15: store.redis.username: needs a password: set passwordFile",
                "6:5: store.redis.sentinel: needs masterName, e.g. mymaster",
                "7:5: store.redis.cluster: is not available in this version",
                "8:21: store.redis.connectTimeout: is 0: must be a duration from 1ms to 1m",
                "9:21: store.redis.commandTimeout: must be shorter than store.lease (500ms)",
                "10:21: store.cache.entries: is 0: must be a whole number from 1 to 100000000",
                "11:10: store.lease: is -5ms: must be a duration such as 500ms, 20s or 1m30s, or a whole number of seconds",
            ]
        ),
        ("store: { lease: 99ms }", ["1:17: store.lease: is 99ms: must be a duration from 100ms to 10s"]),
        ("store: { lease: 11s }", ["1:17: store.lease: is 11s: must be a duration from 100ms to 10s"]),
        (
            "fleet: { secret: 0123456789abcdef }\nstore: { lease: 1s, redis: { commandTimeout: 1s } }",
            [
                "2:46: store.redis.commandTimeout: must be shorter than store.lease (1s)"
            ]
        ),
        (
            """
            http:
              middlewares: {}
              routers:
                a: { rule: "PathPrefx(`/`)", service: shop, middlewares: [m], tls: {} }
                b: { rule: "Host(`a`", service: none, entryPoints: [web, admin], priority: high }
                c: {}
                "d@file": { rule: "Path(`/`)", service: shop }
                e: { rule: [], service: }
              services:
                shop: { weighted: {} }
                shop2: {}
            """,
            [
                "4:16: http.routers.a.rule: unknown matcher PathPrefx: did you mean PathPrefix?\n"
                    + "    PathPrefx(`/`)\n    ^",
                "4:63: http.routers.a.middlewares[0]: middleware m is not defined",
                "5:16: http.routers.b.rule: found the end of the rule, expected \",\" or \")\"\n"
                    + "    Host(`a`\n            ^",
                "5:37: http.routers.b.service: service none is not defined",
                "5:62: http.routers.b.entryPoints[1]: entry point admin is not defined: use web",
                "5:80: http.routers.b.priority: is high: must be a whole number from -9223372036854775808 to 9223372036854774807",
                "6:5: http.routers.c.rule: is missing: write a rule such as Host(`example.com`)",
                "6:5: http.routers.c.service: is missing: name one of http.services",
                "7:5: http.routers.d@file: a name must not be empty or contain @ or control characters",
                "8:5: http.routers.e.service: is missing: name one of http.services",
                "8:16: http.routers.e.rule: must be a string, but is a list",
                "10:13: http.services.shop.weighted.services: is missing: name the services that share the requests",
                "11:5: http.services.shop2.loadBalancer: is missing: a service needs loadBalancer, weighted or failover",
            ]
        ),
        (
            """
            http:
              services:
                s:
                  loadBalancer:
                    strategy: leasttime
                    healthCheck: {}
                    servers:
                      - { url: "http://a:1", weight: 65536 }
                      - { url: "http://A:1", name: b }
                      - { url: "http://c", name: http://a:1 }
                      - { url: "https://d" }
                      - { url: "http://u:p@d" }
                      - { url: "http://d:0" }
                      - { url: "http://" }
                      - { url: "d:80", draining: maybe, preservePath: true }
                      - { name: e }
                      - { url: "http://f/path" }
                      - { url: "http://[::1]:80" }
                      - { url: "http://[0:0:0:0:0:0:0:1]" }
                      - { url: "http://127.0.0.1" }
                      - { url: "http://127.0.0.1.:80" }
                      - { url: "http://[::ffff:127.0.0.1]" }
                      - { url: "http://f." }
            """,
            [
                "5:19: http.services.s.loadBalancer.strategy: leasttime is not available in this version",
                "6:9: http.services.s.loadBalancer.healthCheck.path: is missing: write a path such as /health",
                "8:42: http.services.s.loadBalancer.servers[0].weight: is 65536: must be a whole number from 0 to 65535",
                "9:20: http.services.s.loadBalancer.servers[1].url: is the same server as servers[0]",
                "10:38: http.services.s.loadBalancer.servers[2].name: is already the name of servers[0]",
                "12:20: http.services.s.loadBalancer.servers[4].url: \"…@…\" must not contain credentials: "
                    + "write http://host:port",
                "13:20: http.services.s.loadBalancer.servers[5].url: \"http://d:0\" has no valid port: "
                    + "write a number from 1 to 65535",
                "14:20: http.services.s.loadBalancer.servers[6].url: \"http://\" has no valid host: "
                    + "write a name, an IPv4 address or an [IPv6 address]",
                "15:20: http.services.s.loadBalancer.servers[7].url: \"d:80\" is not a valid URL: write http://host:port",
                "15:38: http.services.s.loadBalancer.servers[7].draining: is maybe: must be true or false",
                "15:45: http.services.s.loadBalancer.servers[7].preservePath: is not available in this version",
                "16:13: http.services.s.loadBalancer.servers[8].url: is missing: write http://host:port",
                "17:20: warning: http.services.s.loadBalancer.servers[9].url: has a path, which has no effect: "
                    + "requests keep their own path",
                "19:20: http.services.s.loadBalancer.servers[11].url: is the same server as servers[10]",
                "21:20: http.services.s.loadBalancer.servers[13].url: is the same server as servers[12]",
                "22:20: http.services.s.loadBalancer.servers[14].url: is the same server as servers[13]",
                "23:20: http.services.s.loadBalancer.servers[15].url: is the same server as servers[9]",
            ]
        ),
        (
            "http: { services: { s: { loadBalancer: { servers: [] } } } }",
            [
                "1:26: warning: http.services.s.loadBalancer: has no servers: "
                    + "every request to this service is answered with 503"
            ]
        ),
    ]

    @Test("is named with its place, together with all others", arguments: files.map(\.0))
    func isNamed(_ yaml: String) throws {
        let expected = try #require(Self.files.first { $0.0 == yaml }).1
        #expect(ConfigurationSample.diagnostics(yaml) == expected)
    }

    @Test("that an empty file holds no password is a warning, and a rule that holds for nothing shows where")
    func warnings() throws {
        try TemporaryFile.with("\n") { file in
            let text = "fleet: { secret: 0123456789abcdef }\nstore: { redis: { passwordFile: \(file) } }"
            #expect(
                ConfigurationSample.diagnostics(text) == [
                    "2:33: warning: store.redis.passwordFile: is empty: an empty password is sent to Redis"
                ])
        }
        let rule =
            "http: { routers: { a: { rule: 'Host(`a`) || Path(`/a?b=c`)', service: s } }, services: { s: { loadBalancer: { servers: [ { url: 'http://a' } ] } } } }"
        #expect(
            ConfigurationSample.diagnostics(rule) == [
                """
                1:31: warning: http.routers.a.rule: a path cannot contain ?: for the query write Query(`name`, `value`)
                    Host(`a`) || Path(`/a?b=c`)
                                         ^
                """
            ])
    }

    @Test("never shows a secret")
    func hidesSecrets() {
        let texts =
            [
                "fleet: { secret: hunter2 }",
                "fleet: {secret: 0123456789abcdef}\nstore: { redis: { endpoints: [\"redis://u:hunter2@h\"] } }",
                "fleet: {secret: 0123456789abcdef}\nstore: { redis: { endpoints: [\"u:hunter2@h\"] } }",
                "fleet: {secret: 0123456789abcdef}\nstore: { redis: { endpoints: [\"hunter2://h\"] } }",
                "providers: { docker: { endpoint: \"https://u:hunter2@h\" } }",
                "entryPoints: { web: { address: \"u:hunter2@h:1\" } }",
                "entryPoints: { web: { address: \":1\", forwardedHeaders: { trustedIPs: [\"u:hunter2@h\"] } } }",
            ]
            + [
                "http://u:hunter2@h", "https://u:hunter2@h:1", "u:hunter2@h:1", "http://u:hunter/2@h",
                "http://hunter/2@h",
            ]
            .map { "http: { services: { s: { loadBalancer: { servers: [{ url: \"\($0)\" }] } } } }" }
        for text in texts {
            let diagnostics = ConfigurationSample.diagnostics(text)
            #expect(!diagnostics.isEmpty)
            #expect(!diagnostics.contains { $0.contains("hunter") })
        }
        let environment = ["LIMPET_FLEET_SECRET": "hunter2"]
        #expect(
            ConfigurationSample.diagnostics("fleet: {}", environment: environment) == [
                "1:1: fleet.secret: LIMPET_FLEET_SECRET has 7 bytes, but needs at least 16"
            ])
        #expect(
            ConfigurationSample.diagnostics("", environment: environment) == [
                "1:1: fleet.secret: LIMPET_FLEET_SECRET has 7 bytes, but needs at least 16"
            ])
    }

    @Test("never stops the process: any damage to a file is read or refused")
    func damage() async throws {
        try await Threads.run {
            let whole = Array(ConfigurationTests.whole.utf8)
            var generator = SeededRandom(seed: 7)
            var refusals = 0
            for _ in 0..<3000 {
                var bytes = whole
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let start = Int.random(in: 0..<bytes.count, using: &generator)
                    let end = min(start + Int.random(in: 0...12, using: &generator), bytes.count)
                    let other = Int.random(in: 0..<whole.count, using: &generator)
                    let patch = whole[other..<min(other + Int.random(in: 0...12, using: &generator), whole.count)]
                    bytes.replaceSubrange(start..<end, with: patch)
                    bytes[min(start, bytes.count - 1)] = UInt8.random(in: 0...255, using: &generator)
                }
                do throws(ConfigurationRefusal) {
                    _ = try ConfigurationSample.read(String(decoding: bytes, as: UTF8.self))
                } catch {
                    refusals += 1
                    #expect(error.diagnostics.contains { $0.severity == .error })
                }
            }
            #expect(refusals > 1000)
        }
    }

    @Test("that a file cannot be read is one sentence")
    func missingFile() throws {
        let path = TemporaryFile.path()
        let refusal = try #require(throws: ConfigurationRefusal.self) { try ConfigurationFile(path: path) }
        #expect(refusal.description == "\(path): cannot be read: no such file or directory")
    }
}
