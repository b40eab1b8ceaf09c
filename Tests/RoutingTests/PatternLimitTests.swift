import Routing
import Testing

@Suite("A pattern")
struct PatternLimitTests {
    private static let long = "/" + String(repeating: "a", count: 40) + "!"

    @Test(
        "that would take for ever is given up soon, counted, and its rule does not hold",
        arguments: ["^/(a+)+$", "(a|aa)+$", "(a|a)*[bc]", "(.*)*[bc]", "^/(([a-z])+.)+[A-Z]([a-z])+$"])
    func backtracking(_ pattern: String) throws {
        let scratch = MatchScratch()
        for tail in [40, 400, 4000] {
            let request = RequestSample("/" + String(repeating: "a", count: tail) + "!")
            let before = scratch.patternsOverLimit
            let rule = try Rule("PathRegexp(`\(pattern)`)")
            var holds = true
            let spent = ContinuousClock().measure { holds = rule.matches(request, scratch: scratch) }
            #expect(!holds)
            #expect(scratch.patternsOverLimit == before + 1)
            #expect(spent < .milliseconds(100))
        }
    }

    @Test("that would take for ever does not take so long for each place at which it could begin")
    func everyPlace() throws {
        let scratch = MatchScratch()
        // No place by itself is over the limit; all of them together are, many times.
        let request = RequestSample("/" + String(repeating: String(repeating: "a", count: 13) + "!", count: 580))
        let rule = try Rule("PathRegexp(`(a|a)*[bc]`)")
        let spent = ContinuousClock().measure { _ = rule.matches(request, scratch: scratch) }
        #expect(scratch.patternsOverLimit == 1)
        #expect(spent < .milliseconds(100))
    }

    @Test(
        "is asked about many values for no longer than about a few, and then its rule does not hold",
        arguments: ["CookieRegexp(`a`, `^(a+)+$`)", "!CookieRegexp(`a`, `^(a+)+$`)"])
    func manyValues(_ text: String) throws {
        let scratch = MatchScratch()
        // Each by itself is below the limit.
        let value = "a=" + String(repeating: "a", count: 14) + "b"
        let one = RequestSample(fields: [("Cookie", value)])
        #expect(try Rule(text).matches(one, scratch: scratch) == text.hasPrefix("!"))
        #expect(scratch.patternsOverLimit == 0)
        let many = RequestSample(fields: [("Cookie", Array(repeating: value, count: 4000).joined(separator: "; "))])
        let rule = try Rule(text)
        var holds = true
        let spent = ContinuousClock().measure { holds = rule.matches(many, scratch: scratch) }
        #expect(!holds && scratch.patternsOverLimit == 1)
        #expect(spent < .milliseconds(200))
        // The next request is not held to account for it.
        #expect(try Rule(text).matches(one, scratch: scratch) == text.hasPrefix("!"))
    }

    @Test("that is cheap may stand in each of a thousand routers")
    func manyRouters() throws {
        let scratch = MatchScratch()
        let table = try RouteTable(
            (0..<1000).map {
                Router(name: "r\($0)", rule: try Rule("PathRegexp(`^/[a-z]+/v[0-9]+/t\($0)$`)"), entryPoints: [0])
            })
        let request = RequestSample("/abcdefghijklmnopqrstuvwxyz/v123/t777")
        #expect(table.match(request, entryPoint: 0, scratch: scratch) == 777)
        #expect(scratch.patternsOverLimit == 0)
    }

    @Test(
        "over its limit cannot be forced open by a negation, nor by what stands beside it",
        arguments: [
            "!PathRegexp(`^/(a+)+$`)", "!(Path(`/x`) || PathRegexp(`^/(a+)+$`))", "!!PathRegexp(`^/(a+)+$`)",
            "PathRegexp(`^/(a+)+$`) || PathPrefix(`/`)", "!PathRegexp(`^/(a+)+$`) && PathPrefix(`/`)",
        ])
    func negation(_ text: String) throws {
        let scratch = MatchScratch()
        let rule = try Rule(text)
        #expect(!rule.matches(RequestSample(Self.long), scratch: scratch))
        #expect(scratch.patternsOverLimit == 1)
        let table = RouteTable([Router(name: "a", rule: rule, entryPoints: [0])])
        #expect(table.match(RequestSample(Self.long), entryPoint: 0, scratch: scratch) == nil)
    }

    @Test("that is not asked cannot be over its limit")
    func notAsked() throws {
        let scratch = MatchScratch()
        let rule = try Rule("PathPrefix(`/`) || PathRegexp(`^/(a+)+$`)")
        #expect(rule.matches(RequestSample(Self.long), scratch: scratch))
        #expect(scratch.patternsOverLimit == 0)
    }

    @Test("over its limit lets the next router be asked")
    func nextRouter() throws {
        let scratch = MatchScratch()
        let table = RouteTable([
            Router(name: "a", rule: try Rule("PathRegexp(`^/(a+)+$`)"), entryPoints: [0]),
            Router(name: "b", rule: try Rule("PathPrefix(`/`)"), entryPoints: [0]),
        ])
        #expect(table.match(RequestSample("/aaa"), entryPoint: 0, scratch: scratch) == 0)
        #expect(table.match(RequestSample(Self.long), entryPoint: 0, scratch: scratch) == 1)
        #expect(scratch.patternsOverLimit == 1)
    }

    @Test(
        "is asked about values of at most 8,192 bytes, decoded",
        arguments: [
            ("PathRegexp(`^/`)", 8192, false), ("PathRegexp(`^/`)", 8193, true),
            ("HeaderRegexp(`x`, `^/`)", 8192, false), ("HeaderRegexp(`x`, `^/`)", 8193, true),
            ("QueryRegexp(`x`, `^/`)", 8192, false), ("QueryRegexp(`x`, `^/`)", 8193, true),
            ("HostRegexp(`^/`)", 8192, false), ("HostRegexp(`^/`)", 8193, true),
            ("CookieRegexp(`x`, `^/`)", 8192, false), ("CookieRegexp(`x`, `^/`)", 8193, true),
        ])
    func valueLength(_ text: String, _ count: Int, _ isOver: Bool) throws {
        let value = "/" + String(repeating: "b", count: count - 1)
        let encoded = "/%62" + String(repeating: "b", count: count - 2)
        let scratch = MatchScratch()
        let request = RequestSample(
            "\(encoded)?x=\(encoded)", host: value, fields: [("x", value), ("Cookie", "x=\(value)")])
        #expect(try Rule(text).matches(request, scratch: scratch) == !isOver)
        #expect(scratch.patternsOverLimit == (isOver ? 1 : 0))
        #expect(try !Rule("!\(text)").matches(request, scratch: scratch))
    }

    @Test("sees each byte of a value that is no UTF-8 as one character, as Go does")
    func longestRepair() throws {
        let scratch = MatchScratch()
        let request = RequestSample("/" + String(repeating: "%FF", count: 8191))
        #expect(try Rule("PathRegexp(`^/\\x{FFFD}+$`)").matches(request, scratch: scratch))
        #expect(scratch.patternsOverLimit == 0)
    }

    @Test("goes on to no further value where one was over the limit")
    func repeatedValues() throws {
        let scratch = MatchScratch()
        let fields = Array(repeating: ("x", String(Self.long.dropFirst())), count: 100)
        #expect(try !Rule("HeaderRegexp(`x`, `^(a+)+$`)").matches(RequestSample(fields: fields), scratch: scratch))
        #expect(scratch.patternsOverLimit == 1)
    }

    @Test("has at most 4,096 bytes")
    func patternLength() throws {
        _ = try Rule("PathRegexp(`\(String(repeating: "a", count: 4096))`)")
        let error = try #require(throws: RuleError.self) {
            try Rule("PathRegexp(`\(String(repeating: "a", count: 4097))`)")
        }
        #expect(error.message == "the pattern has 4097 bytes, but at most 4096 are allowed")
        #expect(error.offset == 12 + 4096)
    }

    @Test(
        "that would be huge when compiled is refused at once",
        arguments: ["((a{1000}){1000}){1000}", "((ab?){1000}){100}"])
    func compiledSize(_ pattern: String) throws {
        let spent = try ContinuousClock().measure {
            let error = try #require(throws: RuleError.self) { try Rule("PathRegexp(`\(pattern)`)") }
            #expect(error.message.hasPrefix("invalid regular expression: regular expression is too large"))
        }
        #expect(spent < .seconds(1))
    }
}
