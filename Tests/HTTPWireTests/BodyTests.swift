import HTTPWire
import Testing

@Suite("Bodies")
struct BodyTests {
    @Test("a body of known length ends with its last byte, and what follows is left")
    func length() {
        #expect(
            feedBody(.length(5), "hello+more")
                == BodyResult(
                    accepted: bytes("hello"), content: bytes("hello"), outcome: .complete))
        #expect(feedBody(.length(6), "hello") == BodyResult(accepted: bytes("hello"), content: bytes("hello")))
        #expect(feedBody(.length(.max), "hello").outcome == .more)
        for framing in [BodyFraming.none, .length(0)] {
            #expect(BodyScanner(framing, from: .client).isComplete)
            #expect(feedBody(framing, "x") == BodyResult(outcome: .complete))
        }
    }

    @Test("a body that ends with the connection takes everything and never ends by itself")
    func untilClose() {
        let some = bytes("any\0thing")
        #expect(feedBody(.untilClose, "any\0thing", from: .backend) == BodyResult(accepted: some, content: some))
        #expect(!BodyScanner(.untilClose, from: .backend).isComplete)
    }

    @Test(
        "a chunked body without extensions passes as it came, and its content is found",
        arguments: [
            ("0\r\n\r\n", ""), ("5\r\nhello\r\n0\r\n\r\n", "hello"), ("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello"),
            ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            ("a\r\n0\r\n\r\n\r\n\r\n1\r\n0\r\n\r\n", "0\r\n\r\n\r\n\r\n1"),
            ("0000000000000005\r\nhello\r\n0000\r\n\r\n", "hello"),
        ], [BodyScanner.Sender.client, .backend])
    func chunked(body: (text: String, content: String), sender: BodyScanner.Sender) {
        let expected = BodyResult(accepted: bytes(body.text), content: bytes(body.content), outcome: .complete)
        #expect(feedBody(.chunked, body.text + "GET /", from: sender) == expected)
    }

    @Test(
        "a chunk's extensions are left out, with the white space around their parts",
        arguments: [
            ";a", ";b=c;d", ";a=\"b;\\\"\\\\ c\"", ";a=\"\"", "; a", ";a ", ";a =b", ";a= b", ";\ta\t =\t \"b\"\t; c ",
            ";a=\"\u{E9}\u{FF}\t\"", ";a=\"\\\u{80}\\\t\"",
        ], [BodyScanner.Sender.client, .backend])
    func extensions(text: String, sender: BodyScanner.Sender) {
        let body = "5\(text)\r\nhello\r\n1\r\n!\r\n0\(text)\r\n\r\n"
        let expected = BodyResult(
            accepted: bytes(body), content: bytes("hello!"),
            outcome: .complete)
        #expect(feedBody(.chunked, body + "x", from: sender) == expected)
    }

    @Test(
        "white space beside a chunk's size is left out where a backend sends it, and refused where a client does",
        arguments: [" ", "   ", "\t", " \t", " ;a", "\t; a=\"b\" "])
    func whiteSpaceBesideSize(text: String) {
        let body = "5\(text)\r\nhello\r\n0\(text)\r\n\r\n"
        let expected = BodyResult(
            accepted: bytes(body), content: bytes("hello"),
            outcome: .complete)
        #expect(feedBody(.chunked, body, from: .backend) == expected)
        #expect(feedBody(.chunked, body, from: .client) == BodyResult(outcome: .refused(.malformedChunkSize)))
    }

    @Test(
        "white space that makes a chunk's line ambiguous is refused from a backend too",
        arguments: [
            (" 5\r\n", .malformedChunkSize), ("5 5\r\n", .malformedChunkSize), ("5 x\r\n", .malformedChunkSize),
            ("5 \n", .malformedChunkLineEnd), ("5 \r5\r\n", .malformedChunkLineEnd),
            ("5 \u{B}\r\n", .malformedChunkSize),
            ("5\u{C}\r\n", .malformedChunkSize), ("5\u{A0}\r\n", .malformedChunkSize),
            ("5 ;\r\n", .malformedChunkLineEnd),
        ] as [(String, BodyRefusal)])
    func ambiguousWhiteSpace(text: String, refusal: BodyRefusal) {
        #expect(feedBody(.chunked, text, from: .backend) == BodyResult(outcome: .refused(refusal)))
    }

    @Test(
        "a malformed chunked body is refused, and only what is sound before it is accepted",
        arguments: [
            ("\r\n", .malformedChunkSize, 0), ("g\r\n", .malformedChunkSize, 0), ("-1\r\n", .malformedChunkSize, 0),
            ("+1\r\n", .malformedChunkSize, 0), ("0x1\r\n", .malformedChunkSize, 0), (" 1\r\n", .malformedChunkSize, 0),
            ("1 \r\n", .malformedChunkSize, 0), ("1\t\r\n", .malformedChunkSize, 0),
            ("1 ;a\r\n", .malformedChunkSize, 0),
            ("1,1\r\n", .malformedChunkSize, 0), ("1_0\r\n", .malformedChunkSize, 0),
            (";a\r\n", .malformedChunkSize, 0),
            ("00000000000000001\r\n", .malformedChunkSize, 0), ("8000000000000000\r\n", .chunkSizeTooLarge, 0),
            ("ffffffffffffffff\r\n", .chunkSizeTooLarge, 0), ("fffffffffffffffff\r\n", .malformedChunkSize, 0),
            ("1\n", .malformedChunkLineEnd, 0), ("1\r1\r\n", .malformedChunkLineEnd, 0),
            ("1\r\r\n", .malformedChunkLineEnd, 0),
            ("1;\r\n", .malformedChunkLineEnd, 0), ("1;;a\r\n", .malformedChunkExtension, 0),
            ("1; \r\n", .malformedChunkLineEnd, 0), ("1;a b\r\n", .malformedChunkExtension, 0),
            ("1;a= \r\n", .malformedChunkLineEnd, 0), ("1;a=;b\r\n", .malformedChunkExtension, 0),
            ("1;a=\r\n", .malformedChunkLineEnd, 0),
            ("1;a=b c\r\n", .malformedChunkExtension, 0), ("1;a=\"b\"c\r\n", .malformedChunkExtension, 0),
            ("1;a=\"b\r\n", .malformedChunkLineEnd, 0), ("1;a=\"\0\"\r\n", .malformedChunkExtension, 0),
            ("1;a=\"\\\0\"\r\n", .malformedChunkExtension, 0), ("1;\u{E9}\r\n", .malformedChunkExtension, 0),
            ("1;a=\"b\" c\r\n", .malformedChunkExtension, 0), ("1;a=\"\u{7F}\"\r\n", .malformedChunkExtension, 0),
            ("1;a\n", .malformedChunkLineEnd, 0), ("1;a\rb\r\n", .malformedChunkLineEnd, 0),
            ("5\r\nhello0\r\n", .malformedChunkEnd, 8), ("5\r\nhello\n0\r\n", .malformedChunkEnd, 8),
            ("5\r\nhello\r0\r\n", .malformedChunkEnd, 8), ("5\r\nhello!\r\n", .malformedChunkEnd, 8),
            ("5\r\nhello\r\n\r\n0\r\n\r\n", .malformedChunkSize, 10),
            ("1\r\nx\r\n0\r\n\n", .malformedTrailer(.bareLineFeed), 9),
        ] as [(String, BodyRefusal, Int)])
    func refused(text: String, refusal: BodyRefusal, accepted: Int) {
        let result = feedBody(.chunked, text)
        #expect(result.outcome == .refused(refusal))
        #expect(result.accepted.count == accepted)
        #expect(refusal.reason.utf8CodeUnitCount > 10)
    }

    @Test(
        "a trailer section follows the rules of field lines",
        arguments: [
            ("X : 1\r\n", .whiteSpaceInFieldName), (" X: 1\r\n", .foldedLine), ("X: 1\r\n y\r\n", .foldedLine),
            ("X\r\n", .malformedFieldName), (": 1\r\n", .emptyFieldName), ("X: \0\r\n", .malformedFieldValue),
            ("X: 1\n", .bareLineFeed), ("X: 1\r2\r\n", .bareCarriageReturn),
        ] as [(String, HeadRefusal)])
    func trailerRules(line: String, refusal: HeadRefusal) {
        #expect(feedBody(.chunked, "0\r\n\(line)\r\n").outcome == .refused(.malformedTrailer(refusal)))
    }

    @Test(
        "trailer fields pass, and are found",
        arguments: [
            ("X-Sum: 1\r\nY:\r\n", ["X-Sum: 1", "Y: "]), ("Server-Timing: a;dur=1\r\n", ["Server-Timing: a;dur=1"]),
            ("ETag: \"x\"\r\nDigest:\tsha-256=x \r\n", ["ETag: \"x\"", "Digest: sha-256=x"]),
            ("grpc-status: 0\r\n", ["grpc-status: 0"]),
        ])
    func trailers(lines: String, fields: [String]) {
        let body = bytes("1\r\nx\r\n0\r\n\(lines)\r\n")
        let expected = BodyResult(accepted: body, content: bytes("x"), trailers: fields, outcome: .complete)
        #expect(feedBody(.chunked, latin1(body) + "GET") == expected)
    }

    @Test(
        "a trailer field that would frame, route, authenticate, control or describe the message is left out",
        arguments: [
            "Transfer-Encoding", "Content-Length", "HOST", "Connection", "Trailer", "TE", "Upgrade", "Cookie",
            "Set-Cookie", "Authorization", "X-Forwarded-For", "X-Forwarded-Whatever", "Forwarded", "X-Real-IP",
            "Expect",
            "Content-Encoding", "Content-Type", "Content-Range", "Keep-Alive", "Proxy-Authorization", "Content_Length",
            "X_Forwarded_For", "Transfer--Encoding", "Via", "Date", "Age", "range", "Max-Forwards", "VARY",
            "Cache-Control", "If-None-Match", "Location", "WWW-Authenticate",
        ])
    func forbiddenTrailers(name: String) {
        for (before, after) in [("", ""), ("A: 1\r\n", ""), ("", "B: 2\r\n"), ("A: 1\r\n", "B: 2\r\n")] {
            let result = feedBody(.chunked, "0\r\n\(before)\(name): 1\r\n\(after)\r\nGET")
            #expect(result.outcome == .complete)
            #expect(result.accepted == bytes("0\r\n\(before)\(name): 1\r\n\(after)\r\n"))
            #expect(result.passedOn(.chunked) == bytes("0\r\n\(before)\(after)\r\n"))
            #expect(result.trailers.count == 1 + (before + after).utf8.count / 6)
            #expect(result.trailers.contains("(\(name): 1)"))
        }
    }

    @Test("a table takes as many trailer fields as it has room for")
    func smallTable() {
        let table = FieldTable(capacity: 2)
        let lines = bytes("0\r\nA: 1\r\nHost: 2\r\nC: 3\r\n\r\n")
        lines.withUnsafeBytes { bytes in
            var scanner = BodyScanner(.chunked, from: .backend)
            let step = scanner.scan(bytes, content: { _ in })
            table.readTrailers(step.trailers, in: bytes)
        }
        #expect(tableValues(table, lines).map(\.name) == ["A", "Host"])
        #expect(table.first(.host) == nil)
        var kept: [UInt8] = []
        table.forEachKeptRun { kept += lines[$0] }
        #expect(kept == bytes("A: 1\r\n"))
    }

    @Test("extensions and trailers are held to their limits")
    func limits() {
        var limits = MessageLimits()
        limits.chunkExtension = 4
        limits.field = 10
        limits.fieldSection = 23
        limits.fieldCount = 3
        func outcome(_ text: String) -> BodyScanner.Outcome { feedBody(.chunked, text, limits: limits).outcome }
        #expect(outcome("0;abc\r\n\r\n") == .complete)
        #expect(outcome("0;abcd\r\n\r\n") == .refused(.chunkExtensionTooLarge))
        #expect(outcome("0;a;b;\r\n\r\n") == .refused(.chunkExtensionTooLarge))
        #expect(outcome("0\r\nX: 4567890\r\n\r\n") == .complete)
        #expect(outcome("0\r\nX: 45678901\r\n\r\n") == .refused(.malformedTrailer(.fieldTooLarge)))
        #expect(outcome("0\r\nX: 45678901") == .refused(.malformedTrailer(.fieldTooLarge)))
        #expect(outcome("0\r\nX: 4567890\r\nX: 456789\r\n\r\n") == .complete)
        #expect(outcome("0\r\nX: 4567890\r\nX: 4567890\r\n\r\n") == .refused(.malformedTrailer(.fieldSectionTooLarge)))
        #expect(outcome("0\r\nA:\r\nB:\r\nC:\r\n\r\n") == .complete)
        #expect(outcome("0\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n") == .refused(.malformedTrailer(.tooManyFields)))
        #expect(MessageLimits().chunkExtension == 1024)
    }

    @Test("a refused body stays refused and accepts nothing more")
    func refusalIsFinal() {
        var scanner = BodyScanner(.chunked, from: .client)
        for text in ["x", "0\r\n\r\n"] {
            let step = bytes(text).withUnsafeBytes { scanner.scan($0, content: { _ in }) }
            #expect(step.accepted == 0 && step.outcome == .refused(.malformedChunkSize))
        }
        #expect(!scanner.isComplete)
    }
}
