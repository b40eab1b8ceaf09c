import Routing
import Testing

@Suite("The syntax of patterns")
struct PatternSyntaxTests {
    private static let group = "unknown kind of group: use (?:…), (?P<name>…) or flags such as (?i)"
    private static let lookaround = "lookaround is not supported: combine matchers with && and ! instead"
    private static let reference = "backreferences are not supported: for a character by its number write \\x{41}"
    private static let nested = "a repetition cannot be repeated: put the inner one in parentheses"
    private static let braces = "these braces are ambiguous: write {0,3} for a repetition, or \\{ for a brace"
    private static let hex = "\\x takes two hexadecimal digits, or more between braces"
    private static let many = "at most 1000 repetitions are allowed"

    /// The pattern, the offset in it and the message.
    static let refused: [(String, Int, String)] = [
        ("a(?=b)", 1, lookaround), ("a(?!b)", 1, lookaround), ("(?<=a)b", 0, lookaround), ("(?<!a)b", 0, lookaround),
        ("(a)\\1", 3, reference), ("(a)[\\1]", 4, reference), ("\\8", 0, reference),
        ("(?P=a)", 0, group), ("(?P>a)", 0, group), ("(?R)", 0, group), ("(?1)", 0, group), ("(?&a)", 0, group),
        ("(?>a)", 0, group), ("(?|a)", 0, group), ("(?#a)", 0, group), ("(?x)a", 0, group), ("(?^)a", 0, group),
        ("(?'a'b)", 0, group), ("(?C1)", 0, group), ("(?)a", 0, group), ("(?-)a", 0, group), ("(?", 0, group),
        ("a(*ACCEPT)", 1, "(*…) is not supported"), ("(*LIMIT_MATCH=9)a", 0, "(*…) is not supported"),
        ("a++", 2, nested), ("a*+", 2, nested), ("a**", 2, nested), ("a{2}{3}", 4, nested), ("a*??", 3, nested),
        ("a{,3}", 1, braces), ("a{ 1, 2 }", 1, braces), ("a{1,2,3}", 1, braces),
        ("a{1001}", 1, many), ("a{1,1001}", 1, many),
        ("\\v", 0, "\\v is ambiguous: write \\x0B"),
        ("a\\Z", 1, "\\Z is not supported: write \\z for the end"),
        ("\\C", 0, "unknown escape \\C"), ("\\K", 0, "unknown escape \\K"), ("\\R", 0, "unknown escape \\R"),
        ("\\h", 0, "unknown escape \\h"), ("\\N", 0, "unknown escape \\N"), ("\\G", 0, "unknown escape \\G"),
        ("\\X", 0, "unknown escape \\X"), ("\\cA", 0, "unknown escape \\c"), ("\\k<a>", 0, "unknown escape \\k"),
        ("\\g1", 0, "unknown escape \\g"), ("\\u0041", 0, "unknown escape \\u"), ("a\\E", 1, "unknown escape \\E"),
        ("[\\b]", 1, "unknown escape \\b"), ("[\\Qa\\E]", 1, "unknown escape \\Q"), ("\\x4", 0, hex),
        ("[\\xg0]", 1, hex),
        ("\\x{}", 0, hex), ("\\x{4", 0, hex), ("\\x{ 41 }", 0, hex), ("\\x{41}{2}{3}", 9, nested),
        ("[[:<:]]a", 0, "write \\b for a word boundary"),
        ("*a", 0, "invalid regular expression: quantifier does not follow a repeatable item"),
        ("a)", 1, "invalid regular expression: unmatched closing parenthesis"),
        ("a\\", 2, "invalid regular expression: \\ at end of pattern"),
        ("[b-a]", 3, "invalid regular expression: range out of order in character class"),
        ("[[:wrong:]]", 3, "invalid regular expression: unknown POSIX class name"),
        ("\\p{Wrong}", 9, "invalid regular expression: unknown property after \\P or \\p"),
        (
            String(repeating: "(", count: 101) + String(repeating: ")", count: 101), 101,
            "invalid regular expression: parentheses are too deeply nested"
        ),
    ]

    @Test("refuses what RE2 does not have or reads differently, and says where", arguments: refused.map(\.0))
    func refuses(_ pattern: String) throws {
        let (_, offset, message) = try #require(Self.refused.first { $0.0 == pattern })
        let error = try #require(throws: RuleError.self) { try Rule("PathRegexp(`\(pattern)`)") }
        #expect(error.message == message)
        #expect(error.offset == 12 + offset)
    }

    @Test(
        "knows what RE2 has",
        arguments: [
            "a*?b+?c??d{2}?e{2,}?f{0,1000}", "(?i)a(?i-s:b)(?ims-U:c)(?U)d", "(?P<name>a)(?<other>b)(?:c)",
            "\\d\\D\\s\\S\\w\\W\\b\\B\\A\\z", "\\a\\f\\n\\r\\t\\0\\012\\x0B\\x{10FFFF}",
            "\\pL\\PL\\p{Greek}\\p{^Lu}\\P{Lu}", "\\x{2019}", "\\x{41}+", "\\x{41}{2}", "[\\x{41}-\\x{5a}]{2}",
            "\\p{Greek}+", "\\P{L}{2}", "\\pL{2}",
            "[[:alpha:][:^digit:]\\d\\pL\\x41-]", "[]a]", "[^]a]", "\\.\\+\\*\\?\\(\\)\\[\\]\\{\\}\\|\\^\\$\\\\\\-\\_",
            "\\Q(?=a)*{1001}\\E", "\\Q(", "{id}", "a{", "a{x}", "a{}", "|", "a||b", "()", "[a&&b]", "(?i:)", "ä+",
        ])
    func knows(_ pattern: String) throws {
        _ = try Rule("PathRegexp(`\(pattern)`)")
    }

    @Test("never stops the process, and mistakes lie within the rule")
    func anyFragments() {
        let fragments = [
            "a", "ä", "(", ")", "(?", "(?:", "(?P<a>", "(?i)", "[", "]", "[^", "[:alpha:]", "-", "\\", "\\Q", "\\E",
            "\\x",
            "{", "}", "2", ",", "*", "+", "?", "|", "^", "$", "\\p", "\\b", " ", "\0",
        ]
        var state: UInt64 = 7
        var accepted = 0
        for _ in 0..<20_000 {
            var pattern = ""
            for _ in 0..<(2 + Int(state >> 60) / 2) {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                pattern += fragments[Int((state >> 33) % UInt64(fragments.count))]
            }
            let text = "PathRegexp(`\(pattern)`)"
            do throws(RuleError) {
                _ = try Rule(text).matches(RequestSample("/a2,%C3%A4-"))
                accepted += 1
            } catch {
                #expect((12...(12 + pattern.utf8.count)).contains(error.offset), "\(text): \(error)")
            }
        }
        #expect(accepted > 1000)
    }
}
