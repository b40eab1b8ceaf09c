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
            #expect(BodyScanner(framing).isComplete)
            #expect(feedBody(framing, "x") == BodyResult(outcome: .complete))
        }
    }

    @Test("a body that ends with the connection takes everything and never ends by itself")
    func untilClose() {
        var scanner = BodyScanner(.untilClose)
        let some = bytes("any\0thing")
        let step = some.withUnsafeBytes { scanner.scan($0) }
        #expect(step.accepted == 9 && step.outcome == .more)
        #expect(!scanner.isComplete)
    }

    @Test(
        "a well-formed chunked body is accepted verbatim and its content found",
        arguments: [
            ("0\r\n\r\n", ""), ("5\r\nhello\r\n0\r\n\r\n", "hello"), ("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello"),
            ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            ("a\r\n0\r\n\r\n\r\n\r\n1\r\n0\r\n\r\n", "0\r\n\r\n\r\n\r\n1"),
            ("0000000000000005\r\nhello\r\n0000\r\n\r\n", "hello"), ("5;a\r\nhello\r\n0;b=c;d\r\n\r\n", "hello"),
            ("5;a=\"b;\\\"\\\\ c\"\r\nhello\r\n0\r\n\r\n", "hello"), ("5;a=\"\"\r\nhello\r\n0\r\n\r\n", "hello"),
            ("1\r\nx\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n", "x"), ("0\r\nServer-Timing: a;dur=1\r\n\r\n", ""),
        ])
    func chunked(text: String, content: String) {
        let expected = BodyResult(accepted: bytes(text), content: bytes(content), outcome: .complete)
        #expect(feedBody(.chunked, text + "GET /") == expected)
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
            ("1; a\r\n", .malformedChunkExtension, 0), ("1;a =b\r\n", .malformedChunkExtension, 0),
            ("1;a= b\r\n", .malformedChunkExtension, 0), ("1;a=\r\n", .malformedChunkLineEnd, 0),
            ("1;a=b c\r\n", .malformedChunkExtension, 0), ("1;a=\"b\"c\r\n", .malformedChunkExtension, 0),
            ("1;a=\"b\r\n", .malformedChunkLineEnd, 0), ("1;a=\"\0\"\r\n", .malformedChunkExtension, 0),
            ("1;a=\"\\\0\"\r\n", .malformedChunkExtension, 0), ("1;\u{E9}\r\n", .malformedChunkExtension, 0),
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
        "a trailer cannot frame, route, authenticate or redescribe the message",
        arguments: [
            "Transfer-Encoding", "Content-Length", "HOST", "Connection", "Trailer", "TE", "Upgrade", "Cookie",
            "Set-Cookie",
            "Authorization", "X-Forwarded-For", "X-Forwarded-Whatever", "Forwarded", "X-Real-IP", "Expect",
            "Content-Encoding", "Content-Type", "Content-Range", "Keep-Alive", "Proxy-Authorization", "Content_Length",
            "X_Forwarded_For", "Transfer--Encoding",
        ])
    func forbiddenTrailers(name: String) {
        let result = feedBody(.chunked, "0\r\n\(name): 1\r\n\r\n")
        #expect(result.outcome == .refused(.forbiddenTrailer))
        #expect(result.accepted == bytes("0\r\n"))
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
        var scanner = BodyScanner(.chunked)
        for text in ["x", "0\r\n\r\n"] {
            let step = bytes(text).withUnsafeBytes { scanner.scan($0) }
            #expect(step.accepted == 0 && step.outcome == .refused(.malformedChunkSize))
        }
        #expect(!scanner.isComplete)
    }
}
