import HTTPWire
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

/// NIOHTTP1 (llhttp, strict) as second opinion: what we pass on it must accept, and read as we read what came.
@Suite("A second opinion")
struct OracleTests {
    private struct Message: Equatable {
        var method: String
        var target: String
        var isCurrent: Bool
        var fields: [String]
        var body: [UInt8]
        var isComplete: Bool
    }

    static let corpus = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a?b=c HTTP/1.0\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhello",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n",
        "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a=\"b\"\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n",
        "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1; a = \"\u{E9}\"\r\nx\r\n0;b\r\nDate: x\r\nA: b\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "PUT http://b:/ HTTP/1.1\r\nHost: a:\r\nContent-Length: 0005\r\nX: y\r\n\r\nhello",
        "GET http://a/b HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Tab:\ta\tb\t\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "\r\nDELETE /caf%C3%A9 HTTP/1.1\r\nHost: a\r\nCookie: a=b; c=d\r\nX: \u{E9}\u{FF}\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 00\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: [::1]:8080\r\nX-Forwarded-For: 1.2.3.4\r\nVia: 1.1 x\r\nDate: now\r\n\r\n",
    ]

    @Test("what is accepted of the corpus is read alike by NIOHTTP1", arguments: corpus)
    func wellFormed(text: String) throws {
        let message = try #require(ours(bytes(text)))
        #expect(message.isComplete)
        #expect(theirs(passedOn(bytes(text))) == .success(message))
    }

    @Test("what is accepted of 30,000 mutations is read alike by NIOHTTP1", arguments: [1, 2, 3] as [UInt64])
    func mutations(seed: UInt64) {
        var random = SplitMix(state: seed)
        var accepted = 0
        for _ in 0..<10_000 {
            var text = bytes(Self.corpus[Int(random.next() % UInt64(Self.corpus.count))])
            for _ in 0...random.next() % 3 { mutate(&text, &random) }
            guard let message = ours(text), message.isComplete, !isJustifiedException(message, text) else { continue }
            accepted += 1
            #expect(theirs(passedOn(text)) == .success(message), "\(latin1(text).debugDescription)")
        }
        #expect(accepted > 500, "too few mutations were accepted for the test to mean anything")
    }

    /// Where we accept more than llhttp, on purpose.
    private func isJustifiedException(_ message: Message, _ text: [UInt8]) -> Bool {
        // RFC 9110 §9.1: a method is any token; llhttp knows a list.
        let known = HTTPWire.Method.allCases.map { "\($0)".uppercased() }
        if !known.contains(message.method) { return true }
        // RFC 9110 §5.6.3: the white space behind a value may be HTAB; behind a length llhttp takes SP alone.
        return latin1(text).contains(/Content-Length:[ \t]*[0-9]+ *\t/.ignoresCase())
    }

    /// The first message in `input` as we read it, or nil where we refuse it or its head is not whole.
    private func ours(_ input: [UInt8]) -> Message? {
        guard let values = scanRequest(input).values else { return nil }
        let body = feedBody(values.head.framing, [input[values.head.length...]])
        if case .refused = body.outcome { return nil }
        return Message(
            method: values.method, target: values.target, isCurrent: values.head.version == .http11,
            fields: values.fields.filter { !$0.isRemoved }.map {
                "\($0.name): " + String(decoding: $0.value, as: UTF8.self)
            },
            body: body.content, isComplete: body.outcome == .complete)
    }

    /// What goes on of the head and of the body, but for what is written anew.
    private func passedOn(_ input: [UInt8]) -> [UInt8] {
        let table = FieldTable()
        guard let head = scanRequest(input, into: table).values?.head else { return input }
        let line = input[head.methodRange.lowerBound..<head.fieldsStart]
        return line + bytes(keptBytes(table, input) + "\r\n")
            + feedBody(head.framing, [input[head.length...]]).passedOn(head.framing)
    }

    private enum Opinion: Equatable {
        case success(Message)
        case failure(String)
    }

    /// What NIOHTTP1 makes of the same bytes: the first message alone.
    private func theirs(_ input: [UInt8]) -> Opinion {
        let channel = EmbeddedChannel()
        defer { _ = try? channel.finish() }
        do {
            let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes))
            try channel.pipeline.syncOperations.addHandler(decoder)
            var failure: (any Error)?
            do {
                try channel.writeInbound(ByteBuffer(bytes: input))
            } catch {
                failure = error
            }
            var message: Message?
            while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
                switch part {
                case .head(let head): message = self.message(head)
                case .body(let buffer): message?.body += buffer.readableBytesView
                case .end:
                    message?.isComplete = true
                    // An error after this belongs to the next message.
                    if let message { return .success(message) }
                }
            }
            if let failure { return .failure("\(failure)") }
            return message.map { .success($0) } ?? .failure("no message")
        } catch {
            return .failure("\(error)")
        }
    }

    private func message(_ head: HTTPRequestHead) -> Message {
        Message(
            method: head.method.rawValue, target: head.uri, isCurrent: head.version == .http1_1,
            fields: head.headers.map { "\($0.name): \(withoutBlanks($0.value))" }, body: [], isComplete: false)
    }

    /// NIOHTTP1 leaves the white space after a value, which is not part of it (RFC 9110 §5.5).
    private func withoutBlanks(_ value: String) -> String {
        var text = Substring(value)
        while let last = text.unicodeScalars.last, last == " " || last == "\t" { text.unicodeScalars.removeLast() }
        return String(text)
    }

    private func mutate(_ text: inout [UInt8], _ random: inout SplitMix) {
        let interesting = bytes("\r\n\0\t :;,=\"\\/*?#%@[]_-+0159aAfFxX\u{7F}\u{80}\u{A0}\u{FF}")
        guard !text.isEmpty else { return }
        let index = Int(random.next() % UInt64(text.count))
        let byte = interesting[Int(random.next() % UInt64(interesting.count))]
        switch random.next() % 5 {
        case 0: text[index] = byte
        case 1: text.insert(byte, at: index)
        case 2: text.remove(at: index)
        case 3: text[index] ^= 0x20
        default:
            let end = min(index + Int(random.next() % 24), text.count)
            text.insert(contentsOf: Array(text[index..<end]), at: Int(random.next() % UInt64(text.count)))
        }
    }
}

/// A small seeded generator, the same on every machine.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed &>> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed &>> 31)
    }
}
