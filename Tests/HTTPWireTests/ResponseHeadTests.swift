import HTTPWire
import Testing

@Suite("Response heads")
struct ResponseHeadTests {
    @Test(
        "a status line is accepted with any reason or none",
        arguments: [
            ("HTTP/1.1 200 OK", 200), ("HTTP/1.1 200 ", 200), ("HTTP/1.1 200", 200), ("HTTP/1.0 404 Not Found", 404),
            ("HTTP/1.1 599 caf\u{E9}\tx", 599), ("HTTP/1.1 100 Continue", 100), ("HTTP/1.1 299  ", 299),
        ])
    func accepted(line: String, status: Int) throws {
        let values = try #require(scanResponse(line + "\r\nA: b\r\n\r\n").values)
        #expect(values.head.status == status)
        #expect(values.statusLine == line)
        #expect(values.fields.map(\.name) == ["A"])
        #expect(values.head.length == bytes(line).count + 10)
    }

    @Test(
        "any other first line is refused",
        arguments: [
            ("HTTP/1.1 99 x", .malformedStatusLine), ("HTTP/1.1 099 x", .malformedStatusLine),
            ("HTTP/1.1 600 x", .malformedStatusLine), ("HTTP/1.1 2000 x", .malformedStatusLine),
            ("HTTP/1.1 20 x", .malformedStatusLine), ("HTTP/1.1  200", .malformedStatusLine),
            ("HTTP/1.1 200\tOK", .malformedStatusLine), ("HTTP/1.1 +20 x", .malformedStatusLine),
            ("HTTP/1.1 200 \0", .malformedStatusLine), ("HTTP/1.1", .malformedStatusLine),
            ("HTTP/2.0 200 OK", .unsupportedVersion), ("HTTP/1.2 200 OK", .unsupportedVersion),
            ("http/1.1 200 OK", .malformedVersion), (" HTTP/1.1 200 OK", .malformedVersion),
            ("ICY 200 OK", .malformedVersion),
            ("\r\nHTTP/1.1 200 OK", .malformedVersion), ("HTTP/1.1 200 a\rb", .bareCarriageReturn),
            ("HTTP/1.1 200 a\nb: c", .bareLineFeed), ("HTTP/1.1 200\nb: c", .bareLineFeed),
        ] as [(String, HeadRefusal)])
    func refused(line: String, refusal: HeadRefusal) {
        #expect(scanResponse(line + "\r\n\r\n").refusal == refusal)
    }

    @Test(
        "framing follows the request's method and the status before any field",
        arguments: [
            (.get, 200, "Content-Length: 5", .length(5)), (.get, 200, "Transfer-Encoding: chunked", .chunked),
            (.get, 200, "X: y", .untilClose), (.head, 200, "Content-Length: 5", .none),
            (.head, 200, "Transfer-Encoding: chunked", .none), (.head, 200, "X: y", .none),
            (.get, 204, "Content-Length: 5", .none), (.get, 204, "X: y", .none),
            (.get, 304, "Content-Length: 5", .none),
            (.get, 304, "Transfer-Encoding: chunked", .none), (.post, 100, "X: y", .none), (.post, 103, "X: y", .none),
            (.get, 101, "Upgrade: websocket", .none), (.post, 205, "Content-Length: 0", .length(0)),
            (.post, 500, "X: y", .untilClose),
        ] as [(HTTPWire.Method, Int, String, BodyFraming)])
    func framing(method: HTTPWire.Method, status: Int, line: String, framing: BodyFraming) {
        let head = scanResponse("HTTP/1.1 \(status) x\r\n\(line)\r\n\r\n", to: method).values?.head
        #expect(head?.framing == framing)
        #expect(head?.isPersistent == (framing != .untilClose))
        #expect(head?.isInterim == (status == 100 || status == 103))
        #expect(head?.isSwitchingProtocols == (status == 101))
    }

    @Test("framing fields that a status must not have are marked as removed")
    func strayFraming() throws {
        for status in [100, 199, 204] {
            for line in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
                let values = try #require(scanResponse("HTTP/1.1 \(status) x\r\nA: b\r\n\(line)\r\n\r\n").values)
                #expect(values.fields.map(\.isRemoved) == [false, true])
            }
        }
        let values = try #require(scanResponse("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n").values)
        #expect(values.fields.map(\.isRemoved) == [false])
    }

    @Test(
        "persistence of a response",
        arguments: [
            ("HTTP/1.1 200 x\r\nContent-Length: 0\r\n", true), ("HTTP/1.0 200 x\r\nContent-Length: 0\r\n", false),
            ("HTTP/1.0 200 x\r\nContent-Length: 0\r\nConnection: keep-alive\r\n", true),
            ("HTTP/1.1 200 x\r\nContent-Length: 0\r\nConnection: close\r\n", false),
            ("HTTP/1.1 200 x\r\nConnection: keep-alive\r\n", false),
        ])
    func persistence(text: String, isPersistent: Bool) {
        #expect(scanResponse(text + "\r\n").values?.head.isPersistent == isPersistent)
    }

    @Test("the status line is held to the limit of a first line")
    func limit() {
        let long = "HTTP/1.1 200 " + String(repeating: "x", count: 16 * 1024)
        #expect(scanResponse(long).refusal == .requestLineTooLong)
    }

    @Test("every refusal has a reason for people and an error status")
    func reasons() {
        for refusal in HeadRefusal.allCases {
            #expect(refusal.reason.utf8CodeUnitCount > 10)
            #expect([400, 414, 431, 501, 505].contains(refusal.status))
        }
    }
}
