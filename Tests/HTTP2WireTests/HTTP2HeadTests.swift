import HTTP2Wire
import LimpetTestKit
import Testing

/// Heads that must not become heads of HTTP/1.1 (RFC 9113, sections 8.2 and 8.3).
@Suite struct HTTP2HeadTests {
    @Test(
        "a head that cannot be one of HTTP/1.1 resets its stream, and the connection goes on",
        arguments: MalformedHead.all)
    func refuses(_ one: MalformedHead) {
        let server = HTTP2Side(HTTP2Settings(.server))
        server.receive(HTTP2Frame.preface)
        server.receive(HTTP2Frame.head(one.fields))
        let heads = server.events.filter { if case .head = $0 { true } else { false } }
        #expect(heads.isEmpty, "\(one.what)")
        _ = server.takeOutput()
        #expect(server.events.contains(.closed(1, HTTP2ErrorCode.protocolError)), "\(one.what): \(server.events)")
        // The connection goes on.
        server.events = []
        server.receive(HTTP2Frame.head(stream: 3, HTTP2Frame.request))
        #expect(server.events == [.head(3, "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n", ends: true)], "\(one.what)")
    }

    private static let wellFormed: [(String, [(String, String)], String)] = [
        ("the same host", HTTP2Frame.request + [("host", "A.example")], "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n"),
        (
            "host alone", HTTP2Frame.request.filter { $0.0 != ":authority" } + [("host", "b.example")],
            "GET / HTTP/1.1\r\nhost: b.example\r\n\r\n"
        ),
        (
            "trailers accepted", HTTP2Frame.request + [("te", "trailers")],
            "GET / HTTP/1.1\r\nhost: a.example\r\nte: trailers\r\n\r\n"
        ),
        (
            "bytes beyond ASCII", HTTP2Frame.request + [("x", "a\tb \u{e4}")],
            "GET / HTTP/1.1\r\nhost: a.example\r\nx: a\tb \u{fffd}\r\n\r\n"
        ),
        (
            "OPTIONS of the server",
            [(":method", "OPTIONS"), (":scheme", "http"), (":path", "*"), (":authority", "a")],
            "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"
        ),
    ]

    @Test(arguments: wellFormed) func passes(_ name: String, _ fields: [(String, String)], _ head: String) {
        let server = HTTP2Side(HTTP2Settings(.server))
        server.receive(HTTP2Frame.preface)
        server.receive(HTTP2Frame.head(fields))
        #expect(server.events == [.head(1, head, ends: true)], "\(name)")
    }

    @Test func tooLarge() {
        var settings = HTTP2Settings(.server)
        settings.headBytes = 1000
        let server = HTTP2Side(settings)
        server.receive(HTTP2Frame.preface)
        server.receive(HTTP2Frame.head(HTTP2Frame.request + [("x", String(repeating: "y", count: 1000))]))
        #expect(server.events == [.refusedHead(1, .tooLarge())])
        // It can be answered.
        #expect(server.send(response: "HTTP/1.1 431 \r\n\r\n", on: 1))
        _ = server.takeOutput()
        #expect(server.events.last == .closed(1, 0))
    }

    @Test("a head that is too large says of its request what an answer must know") func tooLargeOfAKind() {
        let large = ("x", String(repeating: "y", count: 1000))
        let grpc = ("content-type", "application/grpc+proto")
        let head = HTTP2Frame.request.map { $0.0 == ":method" ? (":method", "HEAD") : $0 }
        let cases: [([(String, String)], HTTP2HeadFault)] = [
            (head + [large], .tooLarge(isToHead: true)),
            (HTTP2Frame.request + [large, grpc], .tooLarge(isGRPC: true)),
            ([(":path", "/" + large.1)] + HTTP2Frame.request.filter { $0.0 != ":path" }, .tooLarge()),
        ]
        for (fields, fault) in cases {
            var settings = HTTP2Settings(.server)
            settings.headBytes = 1000
            let server = HTTP2Side(settings)
            server.receive(HTTP2Frame.preface + HTTP2Frame.head(fields))
            #expect(server.events == [.refusedHead(1, fault)])
        }
    }

    private static let refusedLate: [(String, [(String, String)])] = [
        ("no path", HTTP2Frame.request.filter { $0.0 != ":path" }),
        ("no authority", HTTP2Frame.request.filter { $0.0 != ":authority" }),
        ("a length without content", HTTP2Frame.request + [("content-length", "5")]),
    ]

    /// libnghttp2 finds out at the end of the block.
    @Test("a head that is refused at its end is over", arguments: refusedLate)
    func refusedAtTheEnd(_ name: String, _ fields: [(String, String)]) {
        let server = HTTP2Side(HTTP2Settings(.server))
        server.receive(HTTP2Frame.preface + HTTP2Frame.head(fields))
        #expect(server.events == [.refusedHead(1, .malformed)], "\(name)")
        #expect(!server.session.isInHead, "\(name)")
    }

    @Test("trailers are over when their stream is closed before their end") func trailersOfAClosedStream() {
        let server = HTTP2Side(HTTP2Settings(.server))
        server.receive(HTTP2Frame.preface + HTTP2Frame.head(ends: false, HTTP2Frame.request))
        server.receive(HTTP2Frame.frame(type: 1, flags: 1, stream: 1, HTTP2Frame.block([("x", "1")])))
        #expect(server.session.isInHead)
        server.session.reset(1, HTTP2ErrorCode.cancel)
        _ = server.takeOutput()
        server.receive(HTTP2Frame.frame(type: 9, flags: 4, stream: 1, HTTP2Frame.block([("y", "1")])))
        #expect(!server.session.isInHead)
        server.receive(HTTP2Frame.head(stream: 3, HTTP2Frame.request))
        #expect(server.events.last == .head(3, "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n", ends: true))
    }

    /// A block that goes on and on ends the connection.
    @Test("a block of fields that expands without end ends the connection") func bomb() {
        var settings = HTTP2Settings(.server)
        settings.headBytes = 1000
        let server = HTTP2Side(settings)
        server.receive(HTTP2Frame.preface)
        // One field of 3,000 bytes into the table (RFC 7541, section 6.2.1), and then again and again.
        let field: [UInt8] = [0x40, 1, UInt8(ascii: "x"), 127, 0xB9, 0x16] + Array(repeating: 0x61, count: 3000)
        let block = HTTP2Frame.block(HTTP2Frame.request) + field + Array(repeating: 0xBE, count: 10)
        server.receive(HTTP2Frame.frame(type: 1, flags: 5, stream: 1, block))
        #expect(server.isEnded)
        #expect(server.session.flood == .fields)
    }

    @Test func trailersOfTheWrongForm() {
        for trailers in [[(":path", "/")], [("x", "a\r\nb: c")], [("transfer-encoding", "chunked")]] {
            let server = HTTP2Side(HTTP2Settings(.server))
            server.receive(HTTP2Frame.preface)
            server.receive(HTTP2Frame.head(ends: false, HTTP2Frame.request))
            server.receive(HTTP2Frame.frame(type: 1, flags: 5, stream: 1, HTTP2Frame.block(trailers)))
            _ = server.takeOutput()
            #expect(server.events.last == .closed(1, HTTP2ErrorCode.protocolError), "\(trailers)")
        }
    }

    @Test func contentThatDiffersFromItsLength() {
        for content in ["abc", "abcdef"] {
            let server = HTTP2Side(HTTP2Settings(.server))
            server.receive(HTTP2Frame.preface)
            server.receive(HTTP2Frame.head(ends: false, HTTP2Frame.request + [("content-length", "5")]))
            server.receive(HTTP2Frame.frame(type: 0, flags: 1, stream: 1, Array(content.utf8)))
            _ = server.takeOutput()
            #expect(server.events.last == .closed(1, HTTP2ErrorCode.protocolError), "\(content)")
            #expect(!server.events.contains(.end(1, trailers: "")), "\(content)")
        }
    }
}
