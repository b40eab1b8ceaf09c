import Testing

@testable import Proxy

@Suite("Dot segments")
struct DotSegmentsTests {
    private static func occur(in path: String) -> Bool {
        Array(path.utf8).withUnsafeBytes { DotSegments.occur(in: $0) }
    }

    /// Said as simply as can be: decoded, split where some backend may end a segment.
    private static func reference(_ path: String) -> Bool {
        var decoded = path
        for (escape, letter) in [("%2e", "."), ("%2f", "/"), ("%5c", "\\"), ("%3b", ";")] {
            decoded = decoded.replacing(escape, with: letter).replacing(escape.uppercased(), with: letter)
        }
        // What follows a semicolon is no segment of its own.
        return decoded.split(whereSeparator: { "/\\".contains($0) }).contains { segment in
            [".", ".."].contains(segment.prefix { $0 != ";" })
        }
    }

    @Test(
        "are found as they are, escaped, and where only some backends end a segment",
        arguments: [
            ("/a/../b", true), ("/.", true), ("/..", true), ("/a/./b", true), ("/%2e%2E/x", true), ("/.%2e", true),
            ("/..%2fx", true), ("/a%5c..%5Cb", true), ("/..;x=1/y", true), ("/.%3Bx", true), ("..", true),
            ("/...", false), ("/a..", false), ("/..a", false), ("/a.b/.c/d.", false), ("/%2e%2e%2e", false),
            ("/%252e%252e/", false), ("/;..", false), ("/a;../b", false), ("/%2", false), ("/%", false), ("", false),
            ("*", false), ("//", false), ("/.%", false), ("/..%2", false),
        ])
    func examples(_ path: String, _ isFound: Bool) {
        #expect(Self.occur(in: path) == isFound)
    }

    @Test("are those of a plain reading of the rule, in every path of a few pieces")
    func everyPath() {
        let pieces = [".", "%2e", "/", "%2F", "\\", ";", "a", "%41"]
        var paths = [""]
        var found = 0
        for _ in 0..<5 {
            paths = paths.flatMap { path in pieces.map { path + $0 } }
            for path in paths {
                let isFound = Self.occur(in: path)
                if isFound != Self.reference(path) { Issue.record("\(path): \(isFound)") }
                if isFound { found += 1 }
            }
        }
        #expect(paths.count == 32_768 && found > 1000)
    }
}
