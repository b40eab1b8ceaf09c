import Testing

@testable import Store

@Suite("The reader of replies")
struct RESPReaderTests {
    /// Feeds in parts of `size` and returns all replies as text.
    private func read(_ text: String, parts size: Int = .max, _ reader: RESPReader) -> (replies: [String], RESPFault?) {
        var replies: [String] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let fault = rest.prefix(size).withUnsafeBytes { reader.feed($0) }
            rest = rest.dropFirst(size)
            reader.drain {
                replies.append($0.text)
                return true
            }
            if let fault { return (replies, fault) }
        }
        return (replies, nil)
    }

    private static let mixed =
        "+OK\r\n:-42\r\n$5\r\nhel\r\n\r\n$-1\r\n*2\r\n:7\r\n*1\r\n$1\r\nx\r\n-ERR no\r\n*0\r\n*-1\r\n$0\r\n\r\n:9223372036854775807\r\n"
    private static let mixedReplies = [
        "+OK", ":-42", "$hel\r\n", "nil", "[:7 [$x]]", "-ERR no", "[]", "nil", "$", ":9223372036854775807",
    ]

    @Test("Every kind of reply is read, wherever the bytes are cut", arguments: 1...40)
    func cuts(_ size: Int) throws {
        let reader = try #require(RESPReader())
        let (replies, fault) = read(String(repeating: Self.mixed, count: 3), parts: size, reader)
        #expect(fault == nil)
        #expect(replies == Self.mixedReplies + Self.mixedReplies + Self.mixedReplies)
    }

    @Test("Replies before a fault are read, and nothing after it")
    func fault() throws {
        let reader = try #require(RESPReader())
        #expect(read("+A\r\n:1\r\n%2\r\n", reader) == (["+A", ":1"], .malformed))
        #expect(read("+B\r\n", reader) == ([], .malformed))
    }

    @Test(
        "What is not RESP2 is refused",
        arguments: [
            "HTTP/1.1 400 Bad Request\r\n", ":x\r\n", "*x\r\n", "$-5\r\n", "*-7\r\n", "_\r\n", "#t\r\n", ",1.5\r\n",
            "%1\r\n+a\r\n+b\r\n", "~1\r\n+a\r\n", ">1\r\n+a\r\n", "(12\r\n", "=5\r\ntxt:a\r\n", "\u{15}\u{3}\u{1}",
        ])
    func malformed(_ text: String) throws {
        let reader = try #require(RESPReader())
        #expect(read(text, reader) == ([], .malformed))
    }

    @Test("A bulk of 100 MB is refused once more of it has come than one reply may hold")
    func largeBulk() throws {
        let reader = try #require(RESPReader())
        #expect(read("$104857600\r\n", reader) == ([], nil))
        var taken = 0
        let part = [UInt8](repeating: 0x61, count: 4096)
        while part.withUnsafeBytes({ reader.feed($0) }) == nil { taken += part.count }
        #expect(taken <= 64 * 1024)
    }

    @Test("A complete string over the limit is refused")
    func bulkLimit() throws {
        let exact = String(repeating: "a", count: 32 * 1024)
        #expect(read("$32768\r\n\(exact)\r\n", try #require(RESPReader())) == (["$" + exact], nil))
        #expect(read("$32769\r\n\(exact)a\r\n", try #require(RESPReader())) == ([], .tooLarge))
        #expect(read("+\(exact)a\r\n", try #require(RESPReader())) == ([], .tooLarge))
    }

    @Test(
        "Arrays of too many elements, of arrays without end, or too deep are refused",
        arguments: [
            "*257\r\n", "*1000000000\r\n", "*2147483647\r\n", String(repeating: "*1\r\n", count: 5),
            String(repeating: "*2\r\n:1\r\n", count: 5),
            "*3\r\n*200\r\n" + String(repeating: ":1\r\n", count: 200) + "*200\r\n"
                + String(repeating: ":1\r\n", count: 99),
        ])
    func arrays(_ text: String) throws {
        #expect(read(text, try #require(RESPReader())) == ([], .tooLarge))
    }

    @Test("Ten thousand replies in one read are all there")
    func batch() throws {
        let text = (0..<10_000).map { "$\(String($0).utf8.count)\r\n\($0)\r\n" }.joined()
        let (replies, fault) = read(text, try #require(RESPReader()))
        #expect(fault == nil)
        #expect(replies == (0..<10_000).map { "$\($0)" })
    }

    @Test("Bytes at random are replies or a fault, never more")
    func noise() throws {
        var random = SplitMix(seed: 7)
        let alphabet = Array("+-:$*0123456789\r\n\r\n\r\nab%".utf8)
        for _ in 0..<3000 {
            let reader = try #require(RESPReader())
            let count = Int(random.next() % 200)
            let text = String(decoding: (0..<count).map { _ in alphabet[Int(random.next() % 24)] }, as: UTF8.self)
            let whole = read(text, reader)
            // Cutting changes nothing.
            let cut = read(text, parts: Int(random.next() % 7) + 1, try #require(RESPReader()))
            #expect(whole == cut)
        }
    }
}

/// A small generator whose draws are the same in each run.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension RESPValue {
    fileprivate var text: String {
        switch self {
        case .none: "nil"
        case .integer(let integer): ":\(integer)"
        case .string(let text): "$" + String(decoding: text, as: UTF8.self)
        case .status(let text): "+" + String(decoding: text, as: UTF8.self)
        case .error(let text): "-" + String(decoding: text, as: UTF8.self)
        case .array(let elements): "[" + elements.map(\.text).joined(separator: " ") + "]"
        }
    }
}
