import Configuration
import Foundation
import LimpetTestKit
import Proxy
import Routing
import Testing

@Suite("A middleware in a configuration")
struct ConfigurationMiddlewareTests {
    private static let bcrypt = "$2y$05$" + String(repeating: "a", count: 53)
    private static let sha = "{SHA}" + String(repeating: "b", count: 27) + "="

    /// The middleware `m` of a file, written as a flow mapping.
    private static func read(_ middleware: String) -> (middleware: Middleware?, diagnostics: [String]) {
        let yaml = """
            http:
              routers: { r: { rule: "Path(`/`)", service: s, middlewares: [m] } }
              services: { s: { loadBalancer: { servers: [{ url: "http://a" }] } } }
              middlewares:
                m: \(middleware)
            """
        let reading = ConfigurationReading.read([("f", yaml)])
        let diagnostics = reading.diagnostics.map {
            $0.description.replacing("f:5:", with: "").replacing("http.middlewares.m", with: "…")
        }
        return (reading.configuration?.routers.first?.middlewares.first, diagnostics)
    }

    private static func users(_ hashes: [String]) -> [BasicAuth.User] {
        hashes.enumerated().compactMap { index, hash in
            PasswordHash(htpasswd: hash).map { BasicAuth.User(name: "u\(index)", passwordHash: $0) }
        }
    }

    @Test("is read whole")
    func everyKind() throws {
        let kinds: [(String, Middleware)] = [
            ("{ stripPrefix: { prefixes: [/api, /v2/] } }", .stripPrefix(["/api", "/v2/"])),
            ("{ addPrefix: { prefix: /x%20y } }", .addPrefix("/x%20y")),
            (
                "{ redirectScheme: { scheme: HTTPS, permanent: true, port: \"8443\" } }",
                .redirectScheme(SchemeRedirect(scheme: .https, port: 8443, isPermanent: true))
            ),
            ("{ redirectScheme: { scheme: https } }", .redirectScheme(SchemeRedirect(scheme: .https))),
            (
                "{ ipAllowList: { sourceRange: [127.0.0.1, fd00::/8], rejectStatusCode: 404, ipStrategy: { depth: 2 } } }",
                .ipAllowList(
                    IPAllowList(
                        ranges: [try AddressRange("127.0.0.1"), try AddressRange("fd00::/8")], refusalStatus: 404,
                        depth: 2))
            ),
            (
                "{ ipAllowList: { sourceRange: [127.0.0.1], ipStrategy: { depth: 0 } } }",
                .ipAllowList(IPAllowList(ranges: [try AddressRange("127.0.0.1")]))
            ),
            (
                "{ headers: { customRequestHeaders: { X-B: b, X-A: 'a b', Cookie: '' }, customResponseHeaders: { Server: } } }",
                .headers(
                    HeaderEdits(
                        requestSet: [.init(name: "X-A", value: "a b"), .init(name: "X-B", value: "b")],
                        requestRemove: ["Cookie"], responseRemove: ["Server"]))
            ),
            (
                "{ basicAuth: { users: ['u0:\(Self.bcrypt)', 'u1:\(Self.sha)'] } }",
                .basicAuth(BasicAuth(users: Self.users([Self.bcrypt, Self.sha])))
            ),
            (
                "{ basicAuth: { users: ['u0:\(Self.bcrypt)'], realm: shop, headerField: X-User, removeHeader: true } }",
                .basicAuth(
                    BasicAuth(
                        realm: "shop", users: Self.users([Self.bcrypt]), headerField: "X-User", removesHeader: true))
            ),
        ]
        for (text, expected) in kinds {
            let (middleware, diagnostics) = Self.read(text)
            #expect(middleware == expected && diagnostics == [], "\(text)")
        }
    }

    @Test("a hash that takes minutes to check is refused")
    func costlyHash() {
        let costly = Self.bcrypt.replacing(/^\$2y\$\d\d/, with: "$2y$17")
        #expect(
            Self.read("{ basicAuth: { users: ['u:\(costly)'] } }").diagnostics.map { $0.hasSuffix("at most 16") } == [
                true
            ]
        )
    }

    @Test("takes users from a file as htpasswd writes it")
    func usersFile() throws {
        try TemporaryFile.with("# comment\nu0:\(Self.bcrypt)\r\n\nu1:\(Self.sha)\n") { path in
            let (middleware, diagnostics) = Self.read("{ basicAuth: { usersFile: \(path) } }")
            #expect(middleware == .basicAuth(BasicAuth(users: Self.users([Self.bcrypt, Self.sha]))))
            #expect(diagnostics == [])
        }
        try TemporaryFile.with("u0:plain\n") { path in
            #expect(
                Self.read("{ basicAuth: { usersFile: \(path) } }").diagnostics == [
                    "34: ….basicAuth.usersFile: line 1 must be name:hash as written by htpasswd, with bcrypt, apr1 or {SHA}"
                ])
        }
        #expect(
            Self.read("{ basicAuth: { usersFile: /nowhere } }").diagnostics == [
                "34: ….basicAuth.usersFile: /nowhere cannot be read: no such file or directory"
            ])
    }

    static let mistaken: [(String, [String])] = [
        (
            "{}",
            [
                "5: …: is empty: use one of headers, stripPrefix, addPrefix, redirectScheme, basicAuth, ipAllowList, "
                    + "passTLSClientCert, retry"
            ]
        ),
        (
            "{ addPrefix: { prefix: /a }, stripPrefix: { prefixes: [/a] } }",
            ["10: ….addPrefix: defines stripPrefix and addPrefix: give each a middleware of its own"]
        ),
        ("{ striprefix: {} }", ["10: ….striprefix: unknown key, did you mean stripPrefix?"]),
        ("{ rateLimit: { average: 1 } }", ["10: ….rateLimit: is not available in this version"]),
        (
            "{ retry: { attempt: 1 } }",
            [
                "10: ….retry.attempts: is missing: write how often a request is sent at most, such as 3",
                "19: ….retry.attempt: unknown key, did you mean attempts?",
            ]
        ),
        (
            "{ retry: { attempts: 0, retryNonIdempotentMethod: true, maxRequestBodyBytes: 1, budget: 101 } }",
            [
                "29: ….retry.attempts: is 0: must be a whole number from 1 to 100",
                "32: ….retry.retryNonIdempotentMethod: must be false: a request that may change something is sent once",
                "85: ….retry.maxRequestBodyBytes: is not supported: a request with a body is sent once. Remove it; "
                    + "the others are retried",
                "96: ….retry.budget: is 101: must be a whole number from 1 to 100",
            ]
        ),
        (
            "{ retry: { attempts: 2, disableRetryOnNetworkError: true } }",
            ["32: ….retry.disableRetryOnNetworkError: leaves nothing to retry: name statuses, such as 502-504"]
        ),
        (
            "{ stripPrefix: { prefixes: [api], forceSlash: true } }",
            [
                "36: ….stripPrefix.prefixes[0]: must begin with / and must not contain control characters",
                "42: ….stripPrefix.forceSlash: is not available in this version",
            ]
        ),
        ("{ stripPrefix: { prefixes: [] } }", ["35: ….stripPrefix.prefixes: must name a prefix, such as /api"]),
        (
            "{ addPrefix: { prefix: '/a?b' } }",
            [
                "31: ….addPrefix.prefix: must not contain spaces, ?, # or non-ASCII characters: percent-encode them, as in %20"
            ]
        ),
        (
            "{ redirectScheme: { scheme: ftp, port: 0 } }",
            [
                "36: ….redirectScheme.scheme: is ftp: must be one of http, https",
                "47: ….redirectScheme.port: is 0: must be a whole number from 1 to 65535",
            ]
        ),
        ("{ redirectScheme: }", ["10: ….redirectScheme.scheme: is missing: write http or https"]),
        (
            "{ ipAllowList: { sourceRange: [a], ipStrategy: { excludedIPs: [b] } } }",
            [
                "39: ….ipAllowList.sourceRange[0]: \"a\" is not an address range: write one like 10.0.0.0/8 or fd00::/8",
                "57: ….ipAllowList.ipStrategy.excludedIPs: is not available in this version",
            ]
        ),
        ("{ ipAllowList: { sourceRange: [] } }", ["38: ….ipAllowList.sourceRange: must name an address range"]),
        (
            "{ headers: { sslHost: a, customRequestHeader: {} } }",
            [
                "21: ….headers.sslHost: is not available in this version",
                "33: ….headers.customRequestHeader: unknown key, did you mean customRequestHeaders?",
            ]
        ),
        (
            "{ headers: { stsSeconds: -1, stsPreload: maybe, forceSTSHeader: true } }",
            [
                "33: ….headers.stsSeconds: is -1: must be a whole number from 0 to 4294967295",
                "49: ….headers.stsPreload: is maybe: must be true or false",
                "72: warning: ….headers.forceSTSHeader: has no effect without stsSeconds",
            ]
        ),
        (
            "{ headers: { customRequestHeaders: { Host: a, Content-Length: '', 'a b': c, X: \"\\n\", x: y } } }",
            [
                "51: ….headers.customRequestHeaders.Host: cannot be set in this version: with passHostHeader: false "
                    + "a backend gets the host of its own URL",
                "70: ….headers.customRequestHeaders.Content-Length: belongs to the connection, not to the message: "
                    + "only the proxy sets it",
                "81: ….headers.customRequestHeaders.a b: a header name must be a token: "
                    + "letters, digits and !#$%&'*+-.^_`|~",
                "87: ….headers.customRequestHeaders.X: must not contain control characters, or begin or end with a space",
                "96: ….headers.customRequestHeaders.x: is defined twice: header names are compared without regard to case",
            ]
        ),
        (
            "{ headers: { customRequestHeaders: { Expect: a }, customResponseHeaders: { HTTP2-Settings: a } } }",
            [
                "53: ….headers.customRequestHeaders.Expect: belongs to the connection, not to the message: "
                    + "only the proxy sets it",
                "99: ….headers.customResponseHeaders.HTTP2-Settings: belongs to the connection, not to the message: "
                    + "only the proxy sets it",
            ]
        ),
        ("{ basicAuth: { users: foo } }", ["30: ….basicAuth.users: must be a list, but is a single value"]),
        ("{ basicAuth: { users: [] } }", ["23: ….basicAuth.users: must name a user: set users or usersFile"]),
        ("{ basicAuth: {} }", ["10: ….basicAuth.users: must name a user: set users or usersFile"]),
        (
            "{ basicAuth: { users: ['u:$$2y$$05$$x', 'v'], realm: 'a\"b', headerField: Expect } }",
            [
                "31: ….basicAuth.users[0]: must be name:hash as written by htpasswd, with bcrypt, apr1 or {SHA}: "
                    + "$$ is an escape of Compose files; write a single $ here",
                "48: ….basicAuth.users[1]: must be name:hash as written by htpasswd, with bcrypt, apr1 or {SHA}",
                "61: ….basicAuth.realm: must be printable ASCII without \" and \\",
                "81: ….basicAuth.headerField: belongs to the connection, not to the message: only the proxy sets it",
            ]
        ),
    ]

    @Test("is named with its place where it is wrong", arguments: mistaken.map(\.0))
    func isNamed(_ text: String) throws {
        let expected = try #require(Self.mistaken.first { $0.0 == text }).1
        #expect(Self.read(text).diagnostics == expected)
    }

    @Test("of Traefik's that is missing says so, each of them")
    func unavailable() {
        let kinds = [
            "buffering", "chain", "circuitBreaker", "compress", "contentType", "digestAuth", "encodedCharacters",
            "errors", "forwardAuth", "grpcWeb", "inFlightReq", "ipWhiteList", "plugin", "rateLimit", "redirectRegex",
            "replacePath", "replacePathRegex", "stripPrefixRegex",
        ]
        for kind in kinds {
            #expect(Self.read("{ \(kind): {} }").diagnostics == ["10: ….\(kind): is not available in this version"])
        }
    }

    @Test("retries as Traefik's keys say, and 0 is no time-out")
    func retry() {
        let (plain, _) = Self.read("{ retry: { attempts: 4 } }")
        #expect(plain == .retry(Retry(attempts: 4)))
        let (all, diagnostics) = Self.read(
            "{ retry: { attempts: 3, initialInterval: 100ms, timeout: 2s, status: [503, '500-502'], budget: 50, "
                + "disableRetryOnNetworkError: true, retryNonIdempotentMethod: false } }")
        #expect(diagnostics.isEmpty)
        #expect(
            all
                == .retry(
                    Retry(
                        attempts: 3, statuses: [503...503, 500...502], repeatsLost: false,
                        initialIntervalMilliseconds: 100, timeoutMilliseconds: 2000, budgetPercent: 50)))
        #expect(Self.read("{ retry: { attempts: 4, timeout: 0 } }").middleware == .retry(Retry(attempts: 4)))
    }

    @Test("shows no hash of a password in a mistake or a description")
    func hidesHashes() {
        let (middleware, _) = Self.read("{ basicAuth: { users: ['u0:\(Self.bcrypt)'] } }")
        #expect(middleware != nil && !"\(String(describing: middleware))".contains("aaaa"))
        let diagnostics = Self.read("{ basicAuth: { users: ['u0:\(Self.bcrypt)a', 'u0:secret'] } }").diagnostics
        #expect(diagnostics.count == 2 && !diagnostics.contains { $0.contains("aaaa") || $0.contains("secret") })
    }
}
