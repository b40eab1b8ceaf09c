import Routing
import Testing

@Suite("A mistake in a rule")
struct RuleErrorTests {
    private static let all =
        "Host, HostRegexp, Path, PathPrefix, PathRegexp, Header, HeaderRegexp, Method, Query, QueryRegexp, ClientIP, "
        + "Cookie, CookieRegexp"

    /// The rule, the offset and the message.
    static let mistakes: [(String, Int, String)] = [
        ("", 0, "the rule is empty"),
        ("  ", 0, "the rule is empty"),
        ("Host(`a`) &&", 12, "found the end of the rule, expected a matcher such as Host(`example.com`)"),
        ("Host(`a`) & Path(`/`)", 10, "a single \"&\" is not an operator: write \"&&\""),
        ("Host(`a`) | Path(`/`)", 10, "a single \"|\" is not an operator: write \"||\""),
        ("Host(`a`) Path(`/`)", 10, "found \"Path\", expected \"&&\", \"||\" or the end of the rule"),
        ("(Host(`a`)", 10, "found the end of the rule, expected \"&&\", \"||\" or \")\""),
        ("Host(`a`))", 9, "found \")\", expected \"&&\", \"||\" or the end of the rule"),
        ("Host", 4, "found the end of the rule, expected \"(\" after Host"),
        ("Host(`a", 5, "the value that begins here has no closing backtick"),
        ("Host(\"a", 5, "the value that begins here has no closing quotation mark"),
        ("Host(\"a\\n\")", 7, "the only escapes are \\\" and \\\\: write the value between backticks"),
        ("Host('a')", 5, "unexpected ': put values between backticks"),
        ("Host(a)", 5, "found \"a\", expected a value between backticks"),
        ("Host()", 0, "Host has the wrong number of values (0): write Host(`name`)"),
        ("Host(`a`, `b`)", 0, "Host has the wrong number of values (2): write Host(`name`)"),
        ("host(`a`, `b`)", 0, "Host has the wrong number of values (2): write Host(`name`)"),
        ("Header(`a`)", 0, "Header has the wrong number of values (1): write Header(`name`, `value`)"),
        ("Query(`a`, ``)", 11, "the value of Query must not be empty"),
        (
            "Query(`a`, `b`, `c`)", 0,
            "Query has the wrong number of values (3): write Query(`name`) or Query(`name`, `value`)"
        ),
        ("Path(`a`)", 5, "the value of Path must start with /"),
        ("PathPrefix(`a`)", 11, "the value of PathPrefix must start with /"),
        ("Host(`bücher.example`)", 5, "Host accepts only printable ASCII: write other names in their xn-- form"),
        ("Host(`a:80`)", 5, "Host takes a name without a port"),
        ("Host(`a:8`)", 5, "Host takes a name without a port"),
        ("Host(`a:`)", 5, "Host takes a name without a port"),
        ("Host(`[::1]:8`)", 5, "Host takes a name without a port"),
        ("Host(`.`)", 5, "Host takes a name, not just a dot"),
        ("Host(`a.*.b`)", 5, "a * in Host must be the whole value or the whole first label, as in *.example.com"),
        ("Header(`Host`, `a`)", 7, "Header never matches the Host header: write Host(`name`)"),
        ("HostRegexp()", 0, "HostRegexp has the wrong number of values (0): write HostRegexp(`pattern`)"),
        (
            "HeaderRegexp(`a`)", 0,
            "HeaderRegexp has the wrong number of values (1): write HeaderRegexp(`name`, `pattern`)"
        ),
        ("Cookie(`a`)", 0, "Cookie has the wrong number of values (1): write Cookie(`name`, `value`)"),
        (
            "QueryRegexp(`a`, `b`, `c`)", 0,
            "QueryRegexp has the wrong number of values (3): write QueryRegexp(`name`, `pattern`)"
        ),
        ("PathRegexp(``)", 11, "the value of PathRegexp must not be empty"),
        ("HostRegexp(`bücher`)", 13, "HostRegexp accepts only ASCII: write other names in their xn-- form"),
        (
            "HeaderRegexp(`host`, `a`)", 13,
            "HeaderRegexp never matches the Host header: write HostRegexp(`pattern`)"
        ),
        ("Cookie(`a b`, `c`)", 9, "a cookie name cannot contain this character: write Cookie(`name`, …)"),
        ("CookieRegexp(`a=b`, `c`)", 15, "a cookie name cannot contain this character: write CookieRegexp(`name`, …)"),
        (
            "clientip(`10.0.0.0/33`)", 9,
            "\"10.0.0.0/33\" has no valid prefix length: write 0 to 32 after the slash"
        ),
        ("ClientIP(`a`)", 9, "\"a\" is not an address range: write one like 10.0.0.0/8 or fd00::/8"),
        ("Host(`a`) && PathRegexp(`^/(a`)", 29, "invalid regular expression: missing closing parenthesis"),
        ("PathRegexp(`ä[`)", 15, "invalid regular expression: missing terminating ] for character class"),
        (#"PathRegexp("^\"\\d\"(?=x)")"#, 20, "lookaround is not supported: combine matchers with && and ! instead"),
        ("PathPrefx(`/`)", 0, "unknown matcher PathPrefx: did you mean PathPrefix?"),
        ("Hots(`a`)", 0, "unknown matcher Hots: did you mean Host?"),
        ("Banana(`/`)", 0, "unknown matcher Banana: use one of \(all)"),
        ("Host(`a`) && ü", 13, "unexpected ü"),
        ("Host(`a`)\u{A0}&& Path(`/`)", 9, "unexpected U+00A0: write a space"),
        ("Host(`a`) &&\u{3000}Path(`/`)", 12, "unexpected U+3000: write a space"),
        ("\u{FEFF}Host(`a`)", 0, "unexpected U+FEFF"), ("Host(`a`)\u{200B}", 9, "unexpected U+200B"),
        ("Host(`a`)\u{1}", 9, "unexpected U+0001"),
        ("Host(\u{201C}a\u{201D})", 5, "unexpected \u{201C}: put values between backticks"),
        ("Host(`{a:[a-z]+}.b`)", 5, "Host takes a name, not a pattern: write HostRegexp(`pattern`)"),
    ]

    @Test("is named with its place", arguments: mistakes.map(\.0))
    func isNamed(_ text: String) throws {
        let (_, offset, message) = try #require(Self.mistakes.first { $0.0 == text })
        let error = try #require(throws: RuleError.self) { try Rule(text) }
        #expect(error.message == message)
        #expect(error.offset == offset)
    }

    @Test("of nesting is refused before the stack is at risk", arguments: ["(", "!", "!("])
    func nesting(_ opening: String) throws {
        let error = try #require(throws: RuleError.self) { try Rule(String(repeating: opening, count: 100_000)) }
        #expect(error.message == "the rule is nested more than 100 levels deep")
    }

    @Test("never stops the process, and lies within the rule")
    func anyWords() {
        let words = [
            "Host(`a`)", "Path(`/`)", "Header", "(", ")", "!", "&&", "||", "&", ",", "`", "`/x`", "\"", "\\", " ", "ü",
            "\n",
            "Query(`a`)", "*", "\0",
        ]
        var state: UInt64 = 42
        var accepted = 0
        for _ in 0..<20_000 {
            var text = ""
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            for index in 0..<Int(state >> 61) + 1 {
                text += words[Int(truncatingIfNeeded: (state >> (8 * UInt64(index % 7))) & 0xFF) % words.count]
            }
            do throws(RuleError) {
                _ = try Rule(text)
                accepted += 1
            } catch {
                #expect((0...text.utf8.count).contains(error.offset))
                #expect(error.caret(under: text).hasSuffix("^"))
            }
        }
        #expect(accepted > 100)
    }

    @Test("is shown by a caret under its line")
    func caret() throws {
        let text = "Host(`ü`) &&\n  Path(`x`) &&\nPath(`/`)"
        let error = try #require(throws: RuleError.self) { try Rule(text) }
        #expect(error.caret(under: text) == "Host(`ü`) &&\n     ^")
        let second = "Host(`a`) &&\n  Path(`x`) &&\nPath(`/`)"
        let other = try #require(throws: RuleError.self) { try Rule(second) }
        #expect(other.caret(under: second) == "  Path(`x`) &&\n       ^")
        let unfinished = "Host(`a`) &&"
        let end = try #require(throws: RuleError.self) { try Rule(unfinished) }
        #expect(end.caret(under: unfinished) == "Host(`a`) &&\n            ^")
    }
}
