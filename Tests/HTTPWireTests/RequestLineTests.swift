import HTTPWire
import Testing

@Suite("Request lines")
struct RequestLineTests {
    /// The verdict on a request whose first line is `line`, with the Host `a` behind it.
    private func verdict(_ line: String, limits: MessageLimits = MessageLimits()) -> Scanned<RequestValues> {
        scanRequest(line + "\r\nHost: a\r\n\r\n", limits: limits)
    }

    @Test(
        "a request line in one of the allowed forms is accepted and taken apart",
        arguments: [
            ("GET / HTTP/1.1", "/", "/", nil, nil),
            ("GET /a?b?c HTTP/1.1", "/a?b?c", "/a", "b?c", nil),
            ("GET /? HTTP/1.1", "/?", "/", "", nil),
            ("GET //a//b HTTP/1.0", "//a//b", "//a//b", nil, nil),
            ("GET /%00/../|{}^\"<> HTTP/1.1", "/%00/../|{}^\"<>", "/%00/../|{}^\"<>", nil, nil),
            ("OPTIONS * HTTP/1.1", "*", "*", nil, nil),
            ("GET http://a/b?c HTTP/1.1", "http://a/b?c", "/b", "c", "a"),
            ("GET HTTPS://A/ HTTP/1.1", "HTTPS://A/", "/", nil, "A"),
            ("GET http://a HTTP/1.1", "http://a", "", nil, "a"),
            ("GET http://a?q HTTP/1.1", "http://a?q", "", "q", "a"),
        ] as [(String, String, String, String?, String?)])
    func accepted(line: String, target: String, path: String, query: String?, authority: String?) throws {
        let values = try #require(verdict(line).values)
        #expect(values.target == target)
        #expect(values.path == path)
        #expect(values.query == query)
        #expect(values.authority == authority)
        #expect(values.head.version == (line.hasSuffix("1") ? .http11 : .http10))
    }

    @Test(
        "anything else in the first line is refused, with the status that says so",
        arguments: [
            ("GET", .malformedMethod, 400), (" GET / HTTP/1.1", .malformedMethod, 400),
            ("G@T / HTTP/1.1", .malformedMethod, 400), ("GET\t/ HTTP/1.1", .malformedMethod, 400),
            ("G\u{E9}T / HTTP/1.1", .malformedMethod, 400), ("\u{16}\u{3}\u{1}", .malformedMethod, 400),
            (String(repeating: "M", count: 33) + " / HTTP/1.1", .methodTooLong, 400),
            ("GET  / HTTP/1.1", .malformedTarget, 400), ("GET /", .malformedTarget, 400),
            ("GET / b HTTP/1.1", .malformedVersion, 400), ("GET /\tb HTTP/1.1", .malformedTarget, 400),
            ("GET /#f HTTP/1.1", .malformedTarget, 400), ("GET /\u{E9} HTTP/1.1", .malformedTarget, 400),
            ("GET /\u{7F} HTTP/1.1", .malformedTarget, 400), ("GET /\0 HTTP/1.1", .malformedTarget, 400),
            ("GET a HTTP/1.1", .malformedTarget, 400), ("GET ?a HTTP/1.1", .malformedTarget, 400),
            ("GET ** HTTP/1.1", .malformedTarget, 400), ("GET * HTTP/1.1", .asteriskWithoutOptions, 400),
            ("GET ftp://a/ HTTP/1.1", .malformedTarget, 400), ("GET http:/a HTTP/1.1", .malformedTarget, 400),
            ("GET http:// HTTP/1.1", .malformedTarget, 400), ("GET http:///b HTTP/1.1", .malformedAuthority, 400),
            ("GET http://u@a/ HTTP/1.1", .malformedAuthority, 400),
            ("GET http://a:99999/ HTTP/1.1", .malformedAuthority, 400),
            ("CONNECT a:443 HTTP/1.1", .connectUnsupported, 501), ("CONNECT / HTTP/1.1", .connectUnsupported, 501),
            ("GET / HTTP/1.1 ", .malformedVersion, 400), ("GET / HTTP/1.12", .malformedVersion, 400),
            ("GET / HTTP/1,1", .malformedVersion, 400), ("GET / http/1.1", .malformedVersion, 400),
            ("GET / HTTP/", .malformedVersion, 400), ("GET / HTTP/x.1", .malformedVersion, 400),
            ("GET / HTTP/0.9", .unsupportedVersion, 505), ("GET / HTTP/1.2", .unsupportedVersion, 505),
            ("PRI * HTTP/2.0", .unsupportedVersion, 505), ("GET / HTTP/9.1", .unsupportedVersion, 505),
        ] as [(String, HeadRefusal, Int)])
    func refused(line: String, refusal: HeadRefusal, status: Int) {
        #expect(verdict(line).refusal == refusal)
        #expect(refusal.status == status)
    }

    @Test(
        "OPTIONS asks about the server by *, or by a target in absolute form without path and query",
        arguments: [
            ("OPTIONS *", true), ("OPTIONS http://a", true), ("OPTIONS HTTPS://a:8443", true),
            ("OPTIONS http://a:", true),
            ("OPTIONS /", false), ("OPTIONS http://a/", false), ("OPTIONS http://a?", false),
            ("OPTIONS http://a?b", false), ("GET http://a", false), ("options http://a", false), ("GET /", false),
        ])
    func asterisk(start: String, isAsterisk: Bool) {
        #expect(verdict("\(start) HTTP/1.1").values?.head.isAsterisk == isAsterisk)
    }

    @Test(
        "every method token is accepted, and the known ones are known",
        arguments: [
            ("GET", .get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete), ("PATCH", .patch),
            ("OPTIONS", .options), ("TRACE", .trace), ("get", .other), ("GETS", .other), ("PROPFIND", .other),
            ("UPDATEREDIRECTREF", .other), ("M!#$%&'*+-.^_`|~9", .other),
        ] as [(String, HTTPWire.Method)])
    func methods(name: String, method: HTTPWire.Method) {
        let values = verdict("\(name) / HTTP/1.1").values
        #expect(values?.head.method == method)
        #expect(values?.method == name)
        #expect(method.isSafe == ["GET", "HEAD", "OPTIONS", "TRACE"].contains(name))
    }

    @Test(
        "lines end in CRLF and nothing else",
        arguments: [
            ("GET / HTTP/1.1\nHost: a\n\n", .bareLineFeed), ("GET / HTTP/1.1\rHost: a\r\r", .bareCarriageReturn),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", .bareLineFeed),
            ("GET / HTTP/1.1\r\nHost: a\r\r\n", .bareCarriageReturn),
            ("GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed),
            ("GET / HTTP/1.1\r\nHost: a\r\n\rX", .bareCarriageReturn),
            ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", .bareCarriageReturn),
            ("GET / HTTP/1.1\r\nHost\n: a\r\n\r\n", .bareLineFeed), ("\nGET / HTTP/1.1\r\n", .bareLineFeed),
            ("\rGET / HTTP/1.1\r\n", .bareCarriageReturn), ("GET / HTTP/1.1\r\r\n", .bareCarriageReturn),
        ] as [(String, HeadRefusal)])
    func lineEnds(text: String, refusal: HeadRefusal) {
        #expect(scanRequest(text).refusal == refusal)
    }

    @Test("one empty line before a request is skipped, a second is not")
    func emptyLines() throws {
        let values = try #require(scanRequest("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").values)
        #expect(values.method == "GET")
        #expect(values.head.methodRange.lowerBound == 2)
        #expect(values.head.length == 29)
        #expect(scanRequest("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").refusal == .leadingEmptyLines)
        #expect(scanRequest("\r\n\nGET").refusal == .bareLineFeed)
    }

    @Test("a request line of the limit passes, one byte more is 414 before it ends")
    func limit() {
        var limits = MessageLimits()
        limits.requestLine = 40
        let line = "GET /" + String(repeating: "a", count: 26) + " HTTP/1.1"
        #expect(line.utf8.count == 40)
        #expect(verdict(line, limits: limits).values != nil)
        let longer = "GET /" + String(repeating: "a", count: 27) + " HTTP/1.1"
        #expect(verdict(longer, limits: limits).refusal == .requestLineTooLong)
        #expect(scanRequest(longer, limits: limits).refusal == .requestLineTooLong)
        #expect(scanRequest("GET /" + String(repeating: "a", count: 36), limits: limits).refusal == .requestLineTooLong)
        #expect(HeadRefusal.requestLineTooLong.status == 414)
        #expect(MessageLimits().requestLine == 16 * 1024)
    }
}
