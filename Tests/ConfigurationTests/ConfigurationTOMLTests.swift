import LimpetTestKit
import Testing

@testable import Configuration

@Suite("A configuration in TOML")
struct ConfigurationTOMLTests {
    /// The tree in short: `{k: v}`, `[…]`, texts in quotes.
    private static func read(_ toml: String) -> String {
        let diagnostics = Diagnostics(.file("f"))
        guard let node = SettingNode(toml: toml, diagnostics) else {
            return diagnostics.sorted.map { String($0.description.dropFirst(2)) }.joined(separator: "\n")
        }
        return show(node)
    }

    private static func show(_ node: SettingNode) -> String {
        switch node.content {
        case .null: "null"
        case .text(let text): "\"\(text)\""
        case .list(let elements): "[" + elements.map(show).joined(separator: ", ") + "]"
        case .mapping(let entries): "{" + entries.map { "\($0.key): \(show($0.value))" }.joined(separator: ", ") + "}"
        }
    }

    static let documents: [(String, String)] = [
        ("", "{}"), ("# only\n\n", "{}"), ("\u{FEFF}a = 1\r\nb = 2", "{a: \"1\", b: \"2\"}"),
        ("a.\"b.c\" . d = 'x'\na.e = 1", "{a: {b.c: {d: \"x\"}, e: \"1\"}}"),
        ("[a.b]\nx = 1\n[a]\ny = 2", "{a: {b: {x: \"1\"}, y: \"2\"}}"),
        ("[[a]]\nx = 1\n[a.b]\ny = 2\n[[a]]\n", "{a: [{x: \"1\", b: {y: \"2\"}}, {}]}"),
        ("[a.b.c]\n[a]\nb.d = 1", "{a: {b: {c: {}, d: \"1\"}}}"),
        ("[a]\nb.c = 1\n[a.b.d]\n", "{a: {b: {c: \"1\", d: {}}}}"),
        ("a = [1, [\n 2, # two\n 3,\n], {x = 1, y.z = 2}]", "{a: [\"1\", [\"2\", \"3\"], {x: \"1\", y: {z: \"2\"}}]}"),
        (#"a = "\u0041\t\"\\ é""#, "{a: \"A\t\"\\ é\"}"), ("a = '''\n'x\\''''", "{a: \"'x\\'\"}"),
        ("a = \"\"\"\nx \\\n   y\"\"\"\"", "{a: \"x y\"\"}"), ("a = \"\"\nb = ''", "{a: \"\", b: \"\"}"),
        (
            "a = [0xFF, 0o17, 0b11, +1_000, -0, 1e3, -1.5, inf, true]",
            "{a: [\"255\", \"15\", \"3\", \"1000\", \"0\", \"1e3\", \"-1.5\", \"inf\", \"true\"]}"
        ),
        (
            "a = [1979-05-27, 07:32:00.5, 1979-05-27 07:32:00Z]",
            "{a: [\"1979-05-27\", \"07:32:00.5\", \"1979-05-27 07:32:00Z\"]}"
        ),
        ("1 = 2\n-a_ = 3", "{1: \"2\", -a_: \"3\"}"),
    ]

    @Test("is read as TOML 1.0 says", arguments: documents.map(\.0))
    func isRead(_ toml: String) throws {
        let expected = try #require(Self.documents.first { $0.0 == toml }).1
        #expect(Self.read(toml) == expected)
    }

    static let refused: [(String, String)] = [
        (
            "a = 2023-02-29",
            "1:5: is not valid TOML: expected a number, a boolean or a time: put strings in quotes"
        ),
        ("a = 1\na = 2", "2:1: is not valid TOML: \"a\" is already defined in line 1"),
        ("[a]\n[a]", "2:2: is not valid TOML: \"a\" is already defined in line 1"),
        ("a.b = 1\n[a]", "2:2: is not valid TOML: \"a\" is already defined in line 1"),
        ("a = {}\na.b = 1", "2:1: is not valid TOML: \"a\" is already defined in line 1"),
        ("a = {}\n[a.b]", "2:2: is not valid TOML: \"a\" is already defined in line 1"),
        ("a = []\n[[a]]", "2:3: is not valid TOML: \"a\" is already defined in line 1"),
        ("[a.b.c]\n[a]\nb.c.d = 1", "3:3: is not valid TOML: \"c\" is already defined in line 1"),
        ("[a.b.c]\n[a]\nb.d = 1\n[a.b]", "4:4: is not valid TOML: \"b\" is already defined in line 1"),
        ("a = 1 b = 2", "1:7: is not valid TOML: expected the end of the line"),
        ("é = 1", "1:1: is not valid TOML: expected a key: letters, digits, - and _, or a quoted string"),
        ("a = é", "1:5: is not valid TOML: expected a value: put strings in quotes"),
        ("a = 'é' x", "1:9: is not valid TOML: expected the end of the line"),
        ("a = yes", "1:5: is not valid TOML: expected a number, a boolean or a time: put strings in quotes"),
        (
            "password = hunter2secret",
            "1:12: is not valid TOML: expected a number, a boolean or a time: put strings in quotes"
        ),
        ("a = 012", "1:5: is not valid TOML: expected a number, a boolean or a time: put strings in quotes"),
        ("a = 1__0", "1:5: is not valid TOML: expected a number, a boolean or a time: put strings in quotes"),
        (
            "a = 1979-13-01",
            "1:5: is not valid TOML: expected a number, a boolean or a time: put strings in quotes"
        ),
        ("a = \"x\ny\"", "1:7: is not valid TOML: the string is not closed"),
        ("a = \"x\0y\"", "1:7: is not valid TOML: control character in a string"),
        ("a = \"\\q\"", "1:6: is not valid TOML: unknown escape: write \\\\ for a backslash"),
        ("a = \"\\uD800\"", "1:6: is not valid TOML: this escape is not a valid character"),
        ("a", "1:2: is not valid TOML: expected = after the key"),
        ("[a", "1:3: is not valid TOML: expected ] after the table name"),
        ("a = {x = 1,}", "1:12: is not valid TOML: expected a key: letters, digits, - and _, or a quoted string"),
        ("a = [1", "1:7: is not valid TOML: expected , or ] in the array"),
        ("a = \(String(repeating: "[", count: 200))", "1:69: is not valid TOML: nested more than 64 levels deep"),
    ]

    @Test("that is none is refused, with the place and what would be right", arguments: refused.map(\.0))
    func isRefused(_ toml: String) throws {
        let expected = try #require(Self.refused.first { $0.0 == toml }).1
        #expect(Self.read(toml) == expected)
    }

    @Test("says the same as in YAML, and its mistakes have their places")
    func places() throws {
        let toml = """
            [http.routers.shop]
            rule = "Host(`a`"
            service = "shop"

            [http.services.shop.loadBalancer]
            strateg = "wrr"
              [[http.services.shop.loadBalancer.servers]]
              url = "http://a:1"
              [[http.services.shop.loadBalancer.servers]]
              url = "http://a:1"
              weight = -1
            """
        let files = [SourceText(name: "d.toml", text: toml, role: .dynamic)]
        let reading = HTTPReading(
            files: files, containers: [], context: HTTPContext(entryPointNames: ["web"], lease: .milliseconds(500)))
        #expect(reading.configuration == nil)
        #expect(
            reading.diagnostics.map(\.description) == [
                "d.toml:2:8: http.routers.shop.rule: found the end of the rule, expected \",\" or \")\"\n"
                    + "    Host(`a`\n            ^",
                "d.toml:6:1: http.services.shop.loadBalancer.strateg: unknown key, did you mean strategy?",
                "d.toml:10:9: http.services.shop.loadBalancer.servers[1].url: is the same server as servers[0]",
                "d.toml:11:12: http.services.shop.loadBalancer.servers[1].weight: is -1: must be a whole number from 0 to 65535",
            ])
    }

    @Test("never stops the process: any damage to a file is read or refused")
    func damage() async throws {
        try await Threads.run {
            let whole = Array(Self.documents.map(\.0).joined(separator: "\n").utf8)
            var generator = SeededRandom(seed: 11)
            for _ in 0..<3000 {
                var bytes = whole
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let start = Int.random(in: 0..<bytes.count, using: &generator)
                    let end = min(start + Int.random(in: 0...30, using: &generator), bytes.count)
                    let other = Int.random(in: 0..<whole.count, using: &generator)
                    bytes.replaceSubrange(start..<end, with: whole[other..<min(other + 12, whole.count)])
                }
                _ = Self.read(String(decoding: bytes, as: UTF8.self))
            }
        }
    }
}
