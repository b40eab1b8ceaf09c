import HTTPWire
import Testing

@Suite("Framing of requests and persistence")
struct FramingTests {
    private func verdict(_ lines: String, version: String = "1.1") -> Scanned<RequestValues> {
        scanRequest("POST / HTTP/\(version)\r\nHost: a\r\n" + lines + "\r\n")
    }

    @Test(
        "the body's framing is what the one framing field says",
        arguments: [
            ("", .none), ("Content-Length: 0\r\n", .length(0)), ("Content-Length: 42\r\n", .length(42)),
            ("content-length:\t0042 \r\n", .length(42)),
            ("Content-Length: 9223372036854775807\r\n", .length(1 << 63 - 1)),
            ("Content-Length: 0000000000000000007\r\n", .length(7)), ("Transfer-Encoding: chunked\r\n", .chunked),
            ("TRANSFER-ENCODING: \t cHuNkEd \t\r\n", .chunked), ("TE: trailers\r\n", .none),
        ] as [(String, BodyFraming)])
    func framing(lines: String, framing: BodyFraming) {
        #expect(verdict(lines).values?.head.framing == framing)
    }

    @Test(
        "framing that two parsers could read differently is refused",
        arguments: [
            ("Content-Length:\r\n", .malformedContentLength), ("Content-Length: +1\r\n", .malformedContentLength),
            ("Content-Length: -1\r\n", .malformedContentLength), ("Content-Length: 0x1\r\n", .malformedContentLength),
            ("Content-Length: 1 1\r\n", .malformedContentLength), ("Content-Length: 1,1\r\n", .malformedContentLength),
            ("Content-Length: 1, 1\r\n", .malformedContentLength), ("Content-Length: 1.0\r\n", .malformedContentLength),
            ("Content-Length: 1_0\r\n", .malformedContentLength),
            ("Content-Length: \"1\"\r\n", .malformedContentLength),
            ("Content-Length: 1;\r\n", .malformedContentLength),
            ("Content-Length: \u{B2}\r\n", .malformedContentLength),
            ("Content-Length: 9223372036854775808\r\n", .contentLengthTooLarge),
            ("Content-Length: 18446744073709551617\r\n", .contentLengthTooLarge),
            ("Content-Length: 00000000000000000001\r\n", .contentLengthTooLarge),
            ("Content-Length: 1\r\nContent-Length: 1\r\n", .duplicateContentLength),
            ("Content-Length: 1\r\ncontent-length: 2\r\n", .duplicateContentLength),
            ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", .contentLengthWithTransferEncoding),
            ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", .contentLengthWithTransferEncoding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", .duplicateTransferEncoding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", .duplicateTransferEncoding),
            ("Transfer-Encoding:\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: identity\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: gzip\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: gzip,, chunked\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: gzip, chunked, chunked\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: chunked, chunked\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: gzip;q=1, chunked\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: gzip chunked\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: gzip,chunked;a=b\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: gzip, xchunked\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: chunked, identity\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: ,chunked\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: chunked,\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: chunked;a=b\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: \"chunked\"\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: xchunked\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: chunked\u{A0}\r\n", .unsupportedTransferEncoding),
            ("Transfer-Encoding: chunked\u{B}\r\n", .malformedFieldValue),
            ("Transfer-Encoding: chun\r\n ked\r\n", .unsupportedTransferEncoding),
        ] as [(String, HeadRefusal)])
    func refused(lines: String, refusal: HeadRefusal) {
        #expect(verdict(lines).refusal == refusal)
        #expect(scanResponse("HTTP/1.1 200 OK\r\n" + lines + "\r\n").refusal == refusal)
        #expect(refusal.status == 400)
    }

    @Test(
        "a coding before chunked that is not known is 501",
        arguments: ["deflate, chunked", "gzip,CHUNKED", "x ,\ty, Chunked", "identity, chunked"])
    func unknownCoding(value: String) {
        #expect(verdict("Transfer-Encoding: \(value)\r\n").refusal == .unknownTransferCoding)
        #expect(HeadRefusal.unknownTransferCoding.status == 501)
    }

    @Test(
        "a Content-Length with leading zeros is passed on without them",
        arguments: [("0200", "200"), ("00", "0"), ("0000000000000000007", "7"), ("0", "0"), ("10", "10")])
    func paddedLength(text: String, digits: String) throws {
        for start in ["POST / HTTP/1.1\r\nHost: a\r\n", "HTTP/1.1 200 OK\r\n"] {
            let head = bytes("\(start)content-length: \(text)\r\n\r\n")
            let table = FieldTable()
            let isRequest = start.hasPrefix("POST")
            let framing =
                isRequest
                ? scanRequest(head, into: table).values?.head.framing
                : scanResponse(head, into: table).values?.head.framing
            #expect(framing == .length(try #require(UInt64(digits))))
            let length = try #require(table.first(.contentLength))
            #expect(latin1(head[table[length].valueRange]) == digits)
            let line = text == digits ? "content-length: \(text)\r\n" : "content-length:\(digits)\r\n"
            #expect(keptBytes(table, head) == (isRequest ? "Host: a\r\n" : "") + line)
        }
    }

    @Test("Transfer-Encoding has no place in HTTP/1.0")
    func oldVersion() {
        #expect(verdict("Transfer-Encoding: chunked\r\n", version: "1.0").refusal == .transferEncodingInHTTP10)
        #expect(verdict("Content-Length: 3\r\n", version: "1.0").values?.head.framing == .length(3))
        let response = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(scanResponse(response).refusal == .transferEncodingInHTTP10)
    }

    @Test(
        "persistence follows the version and the options of all Connection fields",
        arguments: [
            ("", "1.1", true), ("", "1.0", false), ("Connection: close\r\n", "1.1", false),
            ("Connection: CLOSE\r\n", "1.1", false), ("Connection: keep-alive\r\n", "1.0", true),
            ("Connection: Keep-Alive\r\n", "1.1", true), ("Connection: keep-alive, close\r\n", "1.0", false),
            ("Connection: x,,\t close ,\r\n", "1.1", false), ("Connection: x\r\nConnection: close\r\n", "1.1", false),
            ("Connection: closed\r\n", "1.1", true), ("Connection:\r\n", "1.1", true),
            ("Connection: , ,\r\n", "1.1", true),
            ("Proxy-Connection: close\r\n", "1.1", true), ("Proxy-Connection: keep-alive\r\n", "1.0", false),
        ])
    func persistence(lines: String, version: String, isPersistent: Bool) {
        #expect(verdict(lines, version: version).values?.head.isPersistent == isPersistent)
    }

    @Test(
        "a Connection field that is no list of tokens is refused",
        arguments: [
            "close keep-alive", "close;q=1", "\"close\"", "clos\u{E9}", "a, b c",
        ])
    func malformedConnection(value: String) {
        #expect(verdict("Connection: \(value)\r\n").refusal == .malformedConnection)
    }

    @Test("the number of connection options is bounded, over all lines")
    func connectionOptions() {
        let half = String(repeating: "a,", count: 32)
        #expect(verdict("Connection: \(half)\r\nConnection: \(half)\r\n").values != nil)
        #expect(verdict("Connection: \(half)\r\nConnection: \(half)b\r\n").refusal == .tooManyConnectionOptions)
    }

    @Test(
        "an upgrade for a tunnel needs both fields and HTTP/1.1",
        arguments: [
            ("Connection: Upgrade\r\nUpgrade: websocket\r\n", "1.1", true),
            ("Upgrade: websocket\r\nConnection: keep-alive, upgrade\r\n", "1.1", true),
            ("Upgrade: websocket\r\n", "1.1", false), ("Connection: upgrade\r\n", "1.1", false),
            ("Connection: upgrade\r\nUpgrade: websocket\r\n", "1.0", false),
            ("Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n", "1.1", true),
            ("Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: foo/2\r\n", "1.1", true),
            ("Connection: Upgrade\r\nUpgrade: h2cx\r\n", "1.1", true),
            ("Connection: Upgrade\r\nUpgrade: HTTPS/1\r\n", "1.1", true),
            ("Connection: Upgrade\r\nUpgrade: web socket\r\n", "1.1", false),
            ("Connection: Upgrade\r\nUpgrade: /h2c, x/\r\n", "1.1", false),
        ])
    func upgrade(lines: String, version: String, wantsUpgrade: Bool) {
        #expect(verdict(lines, version: version).values?.head.wantsUpgrade == wantsUpgrade)
    }

    @Test(
        "an offer of HTTP or TLS alone is none that anybody has to take up",
        arguments: [
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA\r\n",
            "Connection: Upgrade\r\nUpgrade: H2C, h2 ,HTTP/2.0, TLS/1.2,,tls\r\n",
            "Connection: Upgrade\r\nUpgrade:\r\n",
            "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\nUpgrade: HTTP/1.1\r\n",
        ])
    func harmlessUpgrade(lines: String) throws {
        let head = bytes("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\(lines)\r\n")
        let table = FieldTable()
        let values = try #require(scanRequest(head, into: table).values)
        #expect(!values.head.wantsUpgrade)
        head.withUnsafeBytes { table.removeHopByHop(in: $0) }
        #expect(keptBytes(table, head) == "Host: a\r\nContent-Length: 1\r\n")
    }

    @Test(
        "only 100-continue in HTTP/1.1 is waited for",
        arguments: [
            ("Expect: 100-continue\r\n", "1.1", true), ("expect: 100-Continue\r\n", "1.1", true),
            ("Expect: 100-continue\r\n", "1.0", false), ("Expect: 200-ok\r\n", "1.1", false), ("", "1.1", false),
        ])
    func expectation(lines: String, version: String, expectsContinue: Bool) {
        #expect(verdict(lines, version: version).values?.head.expectsContinue == expectsContinue)
    }

    @Test("only what may bring bytes has a body")
    func hasBody() {
        let framings: [BodyFraming] = [.none, .length(0), .length(1), .chunked, .untilClose]
        #expect(framings.map(\.hasBody) == [false, false, true, true, true])
    }
}
