import Testing

@testable import Configuration

@Suite("A mistake in sticky")
struct StickyMistakeTests {
    /// The section, and its mistakes and warnings, in which `…` stands for its key.
    static let diagnostics: [(String, [String])] = [
        ("     {}", ["6:5: …: has no session key: set cookie, header, query, appCookie or clientIP"]),
        (
            "     { cookie: {}, clientIP: {} }",
            [
                "7:30: ….clientIP: cannot be combined with cookie: every request has a client address, so the cookie would never be used"
            ]
        ),
        ("     { cookie: {}, clientIP: false }", []),
        ("     { cookie: false, clientIP: false }", []),
        (
            "     { idleTimeout: 30m }",
            ["6:5: …: has no session key: set cookie, header, query, appCookie or clientIP"]
        ),
        (
            "     { cookie: false, idleTimeout: 1h }",
            ["6:5: …: has no session key: set cookie, header, query, appCookie or clientIP"]
        ),
        (
            "     { cookie: { name: a }, appCookie: { name: a } }",
            ["7:40: ….appCookie: has the name of Limpet's own cookie: choose another name"]
        ),
        (
            "     { header: 'a b', query: { learn: true }, appCookie: [] }",
            [
                "7:16: ….header: must be a token: letters, digits and !#$%&'*+-.^_`|~",
                "7:23: ….query.name: is missing: name the header, parameter or cookie that holds the session key",
                "7:58: ….appCookie: must be a string, but is a list",
            ]
        ),
        (
            "     { header: , onUnavailable: stay, absoluteTimeout: -1h, idleTimeout: 1m5 }",
            [
                "7:16: ….header: must be a string, but is empty",
                "7:33: ….onUnavailable: is stay: must be one of move, detour, reject",
                "7:56: ….absoluteTimeout: is -1h: must be a duration such as 500ms, 20s or 1m30s, or a whole number of seconds",
                "7:74: ….idleTimeout: is 1m5: must be a duration such as 500ms, 20s or 1m30s, or a whole number of seconds",
            ]
        ),
        (
            "     { header: a, idleTimeout: 1s }",
            ["7:32: ….idleTimeout: must be at least four times store.lease (2s)"]
        ),
        (
            "     { header: a, absoluteTimeout: 12h }",
            [
                "7:36: ….absoluteTimeout: must be at least idleTimeout (24h)"
            ]
        ),
        (
            "     { clientIP: {}, idleTimeout: 2m, absoluteTimeout: 90s }",
            [
                "7:56: ….absoluteTimeout: must be at least idleTimeout (2m)"
            ]
        ),
        (
            "     { cookie: { name: 'a;b', secure: 1, httpOnly: yes, sameSite: x, maxAge: -1, path: a, domain: 'a b' } }",
            [
                "7:24: warning: ….cookie.name: is not a token: the cookie is called a_b, as in Traefik",
                "7:39: ….cookie.secure: is 1: must be true or false",
                "7:52: ….cookie.httpOnly: is yes: must be true or false",
                "7:67: ….cookie.sameSite: is x: must be one of none, lax, strict",
                "7:78: ….cookie.maxAge: is -1: must be a whole number from 0 to 2147483647",
                "7:88: ….cookie.path: must begin with / and must not contain semicolons, spaces or control characters",
                "7:99: ….cookie.domain: must be a domain, such as example.com",
            ]
        ),
        (
            "     { cookie: { name: __Host-a, secure: true, domain: a.b, sameSite: none } }",
            ["7:24: ….cookie.name: is rejected by browsers unless path is / and domain is not set"]
        ),
        (
            "     { cookie: { name: __Secure-a } }",
            ["7:24: ….cookie.name: is rejected by browsers unless secure is true"]
        ),
        (
            "     { cookie: { sameSite: none } }",
            ["7:28: warning: ….cookie.sameSite: is none, which browsers reject unless secure is true"]
        ),
        (
            "     { clientIP: { ipv4Prefix: 33, ipv6Prefix: 0 } }",
            [
                "7:32: ….clientIP.ipv4Prefix: is 33: must be a whole number from 1 to 32",
                "7:48: ….clientIP.ipv6Prefix: is 0: must be a whole number from 1 to 128",
            ]
        ),
        (
            "     { query: { name: a, learn: true } }",
            ["7:33: ….query.learn: must be false: a response has no query to learn a session key from"]
        ),
        ("     { clientIP: 7 }", ["7:18: ….clientIP: is 7: must be true or false"]),
        (
            "     { cookie: { domain: example.com. } }",
            ["7:26: warning: ….cookie.domain: ends with a dot: browsers reject such a cookie"]
        ),
        (
            "     { header: CONNECTION }",
            ["7:16: ….header: belongs to the connection, so it cannot identify a session"]
        ),
        (
            "     { header: { name: Transfer-Encoding, learn: true } }",
            ["7:24: ….header.name: belongs to the connection, so it cannot identify a session"]
        ),
        (
            "     { header: Host }",
            ["7:16: ….header: is the same for all clients of a site, so it cannot identify a session"]
        ),
        (
            "     { header: { name: Set-Cookie, learn: true } }",
            [
                "7:24: ….header.name: is sent by servers only: name the cookie with appCookie"
            ]
        ),
        (
            "     { header: cookie }",
            ["7:16: ….header: holds all cookies of a client: name a single one with appCookie"]
        ),
    ]

    @Test("is named with its place", arguments: diagnostics.map(\.0))
    func isNamed(_ yaml: String) throws {
        let expected = try #require(Self.diagnostics.first { $0.0 == yaml }).1
        #expect(ConfigurationSample.stickyMistakes(yaml) == expected)
    }
}
