import Routing
import Testing

@Suite("A rule that reads well and holds for nothing")
struct RuleDoubtTests {
    /// The rule, and the offset and message of each doubt.
    static let doubtful: [(String, [(Int, String)])] = [
        (
            "Path(`/a?b=c`)",
            [(8, "a path cannot contain ?: for the query write Query(`name`, `value`)")]
        ),
        ("PathPrefix(`/a#b`)", [(14, "a path cannot contain #: clients do not send the fragment")]),
        (
            "Host(`a`) && PathPrefix(`/{id:[0-9]+}/x`)",
            [
                (
                    26,
                    "{name:pattern} was a pattern in Traefik 2, but is compared literally now: write PathRegexp(`pattern`)"
                )
            ]
        ),
        (
            "Path(`/a/{id}`)",
            [
                (
                    9,
                    "{name:pattern} was a pattern in Traefik 2, but is compared literally now: write PathRegexp(`pattern`)"
                )
            ]
        ),
        (
            "HostRegexp(`{sub:[a-z]+}.example.com`)",
            [(12, "{name:pattern} was a pattern in Traefik 2, but is compared literally now: write the pattern alone")]
        ),
        (
            "PathRegexp(`^/{id:[0-9]+}`)",
            [(14, "{name:pattern} was a pattern in Traefik 2, but is compared literally now: write the pattern alone")]
        ),
        ("Path(`/caf%C3%A9`)", [(10, "paths are compared after decoding: write \"/café\"")]),
        ("Path(`/%61%2fb`)", [(7, "paths are compared after decoding: write \"/a%2Fb\"")]),
        ("Path(`/%FF`)", [(7, "paths are compared after decoding: no request has this path")]),
        (
            "PathPrefix(`/a/../b`)",
            [(14, "a request with a . or .. segment in its path is rejected before routing")]
        ),
        ("Path(`/a/.`)", [(8, "a request with a . or .. segment in its path is rejected before routing")]),
        ("Query(`a=b`)", [(8, "a parameter name cannot contain =: write Query(`a`, `b`)")]),
        ("Query(`a=`)", [(8, "a parameter name cannot contain =: write Query(`a`)")]),
        ("Host(`a/b`)", [(7, "a host cannot contain this character")]),
        ("Host(`a{b}`)", [(7, "a host cannot contain this character")]),
        (
            "Method(`GET,POST`)",
            [(11, "a method cannot contain this character: for two methods write Method(`GET`) || Method(`POST`)")]
        ),
        ("Header(`a b`, `c`)", [(9, "a header name cannot contain this character")]),
        ("HeaderRegexp(`a:`, `c`)", [(15, "a header name cannot contain this character")]),
        ("Header(`a`, ` b`)", [(13, "a header value cannot begin or end with a space")]),
        ("Header(`a`, `b\t`)", [(13, "a header value cannot begin or end with a space")]),
        (
            "Path(`/a?`) || !Query(`b=c`) && (Path(`/`) || Host(`x/`))",
            [
                (8, "a path cannot contain ?: for the query write Query(`name`, `value`)"),
                (24, "a parameter name cannot contain =: write Query(`b`, `c`)"),
                (53, "a host cannot contain this character"),
            ]
        ),
        (#"Path("/\"?")"#, [(9, "a path cannot contain ?: for the query write Query(`name`, `value`)")]),
    ]

    @Test("is doubted where it is written", arguments: doubtful.map(\.0))
    func isDoubted(_ text: String) throws {
        let expected = try #require(Self.doubtful.first { $0.0 == text }).1
        let doubts = try Rule(text).doubts
        #expect(doubts.map(\.offset) == expected.map(\.0))
        #expect(doubts.map(\.message) == expected.map(\.1))
    }

    @Test(
        "is not one that a request can meet",
        arguments: [
            "Host(`shop.example`) && PathPrefix(`/`)", "Host(`*`)", "Host(`*.a_b.example.`)", "Host(`[::1]`)",
            "Host(`::1`)",
            "Path(`/a%2Fb`)", "Path(`/100%`)", "Path(`/{`)", "Path(`/}{`)", "Path(`/café`)",
            "Path(`/.well-known/..x/.../y.`)",
            "PathRegexp(`^/[0-9]{2,3}\\.js?$`)", "HostRegexp(`^a{2}\\.b$`)", "PathRegexp(`\\p{L}\\x{41}`)",
            "Query(`a`)", "Query(`a`, `b=c`)", "Query(`a b`)", "QueryRegexp(`a`, `=`)", "Method(`get`)",
            "Method(`M-SEARCH`)",
            "Header(`X-A_b`, `c d`)", "HeaderRegexp(`a`, ` b`)", "ClientIP(`::1`)", "Cookie(`a`, `b`)",
        ])
    func isNotDoubted(_ text: String) throws {
        #expect(try Rule(text).doubts.isEmpty)
    }
}
