import Routing
import Testing

@Suite("A rule that reads well and holds for nothing")
struct RuleDoubtTests {
    /// The rule, and the offset and message of each doubt.
    static let doubtful: [(String, [(Int, String)])] = [
        (
            "Path(`/a?b=c`)",
            [(8, "no path has a ? in it: write Query(`name`, `value`) for what comes behind it")]
        ),
        ("PathPrefix(`/a#b`)", [(14, "no path has a # in it: clients do not send what comes behind it")]),
        (
            "Host(`a`) && PathPrefix(`/{id:[0-9]+}/x`)",
            [
                (
                    26,
                    "{name:pattern} was a pattern in Traefik 2, and is compared to the letter: write PathRegexp(`pattern`)"
                )
            ]
        ),
        (
            "Path(`/a/{id}`)",
            [
                (
                    9,
                    "{name:pattern} was a pattern in Traefik 2, and is compared to the letter: write PathRegexp(`pattern`)"
                )
            ]
        ),
        (
            "HostRegexp(`{sub:[a-z]+}.example.com`)",
            [(12, "{name:pattern} was a pattern in Traefik 2, and is compared to the letter: write the pattern alone")]
        ),
        (
            "PathRegexp(`^/{id:[0-9]+}`)",
            [(14, "{name:pattern} was a pattern in Traefik 2, and is compared to the letter: write the pattern alone")]
        ),
        ("Path(`/caf%C3%A9`)", [(10, "paths are compared decoded: write \"/café\"")]),
        ("Path(`/%61%2fb`)", [(7, "paths are compared decoded: write \"/a%2Fb\"")]),
        ("Path(`/%FF`)", [(7, "paths are compared decoded: no request has this path")]),
        (
            "PathPrefix(`/a/../b`)",
            [(14, "a request whose path has a segment . or .. is refused before rules are asked")]
        ),
        ("Path(`/a/.`)", [(8, "a request whose path has a segment . or .. is refused before rules are asked")]),
        ("Query(`a=b`)", [(8, "no parameter has a = in its name: write Query(`a`, `b`)")]),
        ("Query(`a=`)", [(8, "no parameter has a = in its name: write Query(`a`)")]),
        ("Host(`a/b`)", [(7, "no host has this in it")]), ("Host(`a{b}`)", [(7, "no host has this in it")]),
        (
            "Method(`GET,POST`)", [(11, "no method has this in it: write Method(`GET`) || Method(`POST`) for two")]
        ),
        ("Header(`a b`, `c`)", [(9, "no field has this in its name")]),
        ("HeaderRegexp(`a:`, `c`)", [(15, "no field has this in its name")]),
        ("Header(`a`, ` b`)", [(13, "no value of a field begins or ends with a space")]),
        ("Header(`a`, `b\t`)", [(13, "no value of a field begins or ends with a space")]),
        (
            "Path(`/a?`) || !Query(`b=c`) && (Path(`/`) || Host(`x/`))",
            [
                (8, "no path has a ? in it: write Query(`name`, `value`) for what comes behind it"),
                (24, "no parameter has a = in its name: write Query(`b`, `c`)"), (53, "no host has this in it"),
            ]
        ),
        (#"Path("/\"?")"#, [(9, "no path has a ? in it: write Query(`name`, `value`) for what comes behind it")]),
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
