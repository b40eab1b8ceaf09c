import Foundation
import Testing

@testable import Proxy

@Suite("Edits of paths")
struct PathEditTests {
    private static func strip(_ prefixes: [String], from path: String) -> (path: String, told: String)? {
        let prefixes = prefixes.map { (path: Array($0.utf8), told: PathEdit.escaped($0)) }
        return Array(path.utf8).withUnsafeBytes { PathEdit.strip(prefixes, from: $0) }
            .map { (String(decoding: $0.path, as: UTF8.self), String(decoding: $0.told, as: UTF8.self)) }
    }

    @Test(
        "take off a prefix to the letter, as rules compare it; what is left begins with a slash",
        arguments: [
            ("/api", "/api", "/"), ("/api", "/api/", "/"), ("/api", "/apis", "/s"), ("/api/", "/api/x", "/x"),
            ("/a b", "/a%20b/c", "/c"), ("/api", "/%61%70%69/x", "/x"), ("/a/b", "/a%2fb/c", nil),
            ("/a%2Fb", "/a%2fb/c", "/c"), ("/a%2Fb", "/a/b/c", nil), ("/api", "/API/x", nil), ("/api", "/ap", nil),
            ("/api", "/ap%6", nil), ("/api", "/ap%zz", nil), ("/", "/x", "/x"), ("/é", "/%C3%A9/x", "/x"),
            ("/api", "api/x", nil), ("/api", "*", nil), ("/api", "", nil), ("/a%20b", "/a%20b", nil),
        ])
    func strip(_ prefix: String, _ path: String, _ rest: String?) {
        #expect(Self.strip([prefix], from: path)?.path == rest)
    }

    @Test("take off the first prefix that is there, not the longest, and tell it as it may stand in a path")
    func firstPrefix() throws {
        let first = try #require(Self.strip(["/x", "/a", "/a/b c"], from: "/a/b%20c/d"))
        #expect(first.path == "/b%20c/d" && first.told == "/a")
        let second = try #require(Self.strip(["/x", "/a/b c", "/a"], from: "/a/b%20c/d"))
        #expect(second.path == "/d" && second.told == "/a/b%20c")
        #expect(Self.strip([], from: "/a") == nil)
    }

    @Test("put a prefix before a path, and before nothing else")
    func add() {
        func add(_ path: String) -> String {
            Array(path.utf8).withUnsafeBytes { String(decoding: PathEdit.add(Array("/p".utf8), to: $0), as: UTF8.self) }
        }
        #expect(add("/") == "/p/" && add("/a%2F") == "/p/a%2F" && add("*") == "*" && add("") == "")
    }

    @Test("encode what has no place in a path, whatever byte it is; escapes that are there stay, and it is done once")
    func escaped() {
        let plain = "/ABCxyz019-._~!$&'()*+,;=:@"
        #expect(PathEdit.escaped(plain) == Array(plain.utf8))
        #expect(
            String(decoding: PathEdit.escaped("/a b?c#d\"é%41%4%"), as: UTF8.self)
                == "/a%20b%3Fc%23d%22%C3%A9%41%254%25")
        for scalar in (0..<0x250).compactMap(UnicodeScalar.init) {
            let text = "x\(Character(scalar))"
            let once = String(decoding: PathEdit.escaped(text), as: UTF8.self)
            #expect(once.utf8.allSatisfy { plain.utf8.contains($0) || $0 == UInt8(ascii: "%") || $0.isLetterOrDigit })
            #expect(PathEdit.escaped(once) == Array(once.utf8))
            #expect(once.removingPercentEncoding == text)
        }
    }

    @Test("write a target so that nobody takes a part of it for anything else")
    func safely() {
        let bytes = (UInt8.min ... .max).map(\.self)
        var result: [UInt8] = []
        bytes.withUnsafeBytes { PathEdit.appendSafely($0, to: &result) }
        let text = String(decoding: result, as: UTF8.self)
        for character in "\r\n\0 \"<>#\\^`{|}[]" { #expect(!text.contains(character)) }
        #expect(text.contains("?@ABC") && text.contains("%20!%22%23$%&'"))
        // As it was in all else.
        #expect(result.filter { $0 != UInt8(ascii: "%") }.count > 80)
    }
}

extension UInt8 {
    fileprivate var isLetterOrDigit: Bool {
        let letter = Character(UnicodeScalar(self))
        return self < 128 && (letter.isLetter || letter.isNumber)
    }
}
