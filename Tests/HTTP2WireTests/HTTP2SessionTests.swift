import HTTP2Wire
import LimpetTestKit
import Testing

/// Heads in the form of HTTP/1.1, bodies and ends, between a client and a server in memory.
@Suite struct HTTP2SessionTests {
    @Test func requestAndResponse() throws {
        let pair = Pair()
        let stream = try #require(
            pair.client.send(request: "GET /a?b HTTP/1.1\r\nHost: a.example\r\nX-Other: 1\r\nConnection: close\r\n\r\n")
        )
        pair.exchange()
        #expect(
            pair.server.takeEvents() == [
                .head(stream, "GET /a?b HTTP/1.1\r\nhost: a.example\r\nx-other: 1\r\n\r\n", ends: true)
            ])
        #expect(
            pair.server.send(
                response: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n",
                on: stream, ends: false))
        pair.server.content[stream] = Array("hi".utf8)
        pair.server.complete = [stream]
        pair.exchange()
        let head = "HTTP/1.1 200 \r\ncontent-length: 2\r\nset-cookie: a=b\r\nset-cookie: c=d\r\n\r\n"
        #expect(
            pair.client.takeEvents() == [
                .head(stream, head, ends: false), .content(stream, Array("hi".utf8)), .end(stream, trailers: ""),
                .closed(stream, 0),
            ])
        #expect(pair.server.takeEvents() == [.closed(stream, 0)])
    }

    @Test func bodyAndTrailers() throws {
        let pair = Pair()
        let stream = try #require(
            pair.client.send(request: "POST / HTTP/1.1\r\nHost: a\r\n\r\n", ends: false))
        pair.client.content[stream] = Array("abc".utf8)
        pair.client.complete = [stream]
        pair.client.trailers[stream] = "X-Sum: 1\r\n"
        pair.exchange()
        #expect(
            pair.server.takeEvents() == [
                .head(stream, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", ends: false),
                .content(stream, Array("abc".utf8)), .end(stream, trailers: "x-sum: 1\r\n\r\n"),
            ])
    }

    @Test func bodyWithoutContentHasALength() throws {
        let pair = Pair()
        let stream = try #require(pair.client.send(request: "POST / HTTP/1.1\r\nHost: a\r\n\r\n"))
        pair.exchange()
        #expect(
            pair.server.takeEvents() == [
                .head(stream, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", ends: true)
            ])
    }

    @Test func interimResponses() throws {
        let pair = Pair()
        let stream = try #require(pair.client.send(request: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        pair.exchange()
        var interim = Array("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".utf8)
        interim.withUnsafeMutableBytes { pair.server.session.send(interim: $0, on: stream) }
        pair.server.send(response: "HTTP/1.1 204 No Content\r\n\r\n", on: stream)
        pair.exchange()
        #expect(
            pair.client.takeEvents() == [
                .head(stream, "HTTP/1.1 103 \r\nlink: </a>\r\n\r\n", ends: false),
                .head(stream, "HTTP/1.1 204 \r\n\r\n", ends: true), .closed(stream, 0),
            ])
    }

    /// A response that is complete before its request tells the client to stop, without an error (section 8.1).
    @Test func earlyResponse() throws {
        let pair = Pair()
        let stream = try #require(pair.client.send(request: "POST / HTTP/1.1\r\nHost: a\r\n\r\n", ends: false))
        pair.exchange()
        pair.server.send(response: "HTTP/1.1 413 \r\n\r\n", on: stream)
        pair.exchange()
        #expect(
            pair.client.takeEvents() == [
                .head(stream, "HTTP/1.1 413 \r\ncontent-length: 0\r\n\r\n", ends: true), .closed(stream, 0),
            ])
    }

    @Test func cookiesAreJoined() {
        let server = HTTP2Side(HTTP2Settings(.server))
        server.receive(HTTP2Frame.preface)
        let crumbs = (0..<90).map { ("cookie", "c\($0)=\($0)") }
        server.receive(HTTP2Frame.head(HTTP2Frame.request + [("accept", "*/*")] + crumbs))
        let joined = crumbs.map(\.1).joined(separator: "; ")
        #expect(
            server.takeEvents() == [
                .head(
                    1, "GET / HTTP/1.1\r\nhost: a.example\r\naccept: */*\r\ncookie: \(joined)\r\n\r\n", ends: true)
            ])
    }

    /// RFC 8441: an HTTP/1.1 server is asked for the same protocol.
    @Test func extendedConnect() {
        let server = HTTP2Side(HTTP2Settings(.server))
        server.receive(HTTP2Frame.preface)
        let fields = [
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/chat"),
            (":authority", "a.example"), ("sec-websocket-version", "13"),
        ]
        server.receive(HTTP2Frame.head(ends: false, fields))
        let head = """
            GET /chat HTTP/1.1\r
            Connection: upgrade\r
            Upgrade: websocket\r
            Sec-WebSocket-Key: bGltcGV0bGltcGV0bGltcA==\r
            host: a.example\r
            sec-websocket-version: 13\r
            \r

            """
        #expect(server.takeEvents() == [.head(1, head, ends: false)])
    }

    /// The windows bound what arrives before it is consumed.
    @Test func windows() throws {
        var settings = HTTP2Settings(.server)
        (settings.streamWindow, settings.connectionWindow) = (1000, 100_000)
        let pair = Pair(server: settings)
        let stream = try #require(pair.client.send(request: "POST / HTTP/1.1\r\nHost: a\r\n\r\n", ends: false))
        pair.client.content[stream] = Array(repeating: UInt8(ascii: "x"), count: 2500)
        pair.client.complete = [stream]
        pair.exchange()
        func received() -> Int {
            pair.server.events.reduce(0) { if case .content(_, let bytes) = $1 { $0 + bytes.count } else { $0 } }
        }
        #expect(received() == 1000)
        pair.server.session.consume(1000, of: stream)
        pair.exchange()
        #expect(received() == 2000)
        pair.server.session.consume(1000, of: stream)
        pair.exchange()
        #expect(received() == 2500)
        #expect(pair.server.events.last == .end(stream, trailers: ""))
    }

    /// Streams that were on their way when the end was announced are served.
    @Test func goAwayInTwoSteps() throws {
        let pair = Pair()
        let first = try #require(pair.client.send(request: "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"))
        let second = try #require(pair.client.send(request: "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"))
        pair.server.session.announceEnd()
        pair.exchange()
        #expect(pair.client.takeEvents() == [.goAway(last: .max, 0)])
        #expect(pair.client.send(request: "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n") == nil)
        pair.server.session.refuseStreams()
        pair.exchange()
        #expect(pair.client.takeEvents() == [.goAway(last: second, 0)])
        for stream in [first, second] { pair.server.send(response: "HTTP/1.1 204 \r\n\r\n", on: stream) }
        #expect(!pair.server.session.isOver)
        pair.exchange()
        #expect(pair.client.takeEvents().contains(.closed(second, 0)))
        #expect(pair.server.session.isOver)
        #expect(pair.client.session.peerStreams == 0)
    }

    @Test("heads of 79 KiB are sent in both directions") func largeHeads() throws {
        let pair = Pair()
        let fields = (0..<79).map { "x-\($0): " + String(repeating: "y", count: 1000) + "\r\n" }.joined()
        let stream = try #require(pair.client.send(request: "GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n"))
        pair.exchange()
        #expect(
            pair.server.takeEvents() == [.head(stream, "GET / HTTP/1.1\r\nhost: a\r\n\(fields)\r\n", ends: true)])
        pair.server.send(response: "HTTP/1.1 200 \r\n\(fields)content-length: 0\r\n\r\n", on: stream)
        pair.exchange()
        let head = "HTTP/1.1 200 \r\n\(fields)content-length: 0\r\n\r\n"
        #expect(pair.client.takeEvents() == [.head(stream, head, ends: true), .closed(stream, 0)])
    }

    @Test("a response whose head cannot be sent resets its stream") func headThatCannotBeSent() throws {
        let pair = Pair()
        let stream = try #require(pair.client.send(request: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        pair.exchange()
        let value = String(repeating: "y", count: 300 * 1024)
        pair.server.send(response: "HTTP/1.1 200 \r\nx: \(value)\r\n\r\n", on: stream, ends: false)
        pair.exchange()
        #expect(pair.client.takeEvents() == [.closed(stream, HTTP2ErrorCode.internalError)])
    }

    @Test("content of many streams is given out in pieces, and none is missing") func pieces() throws {
        let pair = Pair()
        let streams = try (0..<50).map { _ in
            try #require(pair.client.send(request: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        }
        pair.exchange()
        for stream in streams {
            pair.server.send(response: "HTTP/1.1 200 \r\n\r\n", on: stream, ends: false)
            pair.server.content[stream] = Array(repeating: 1, count: 5000)
            pair.server.complete.insert(stream)
        }
        var left = [streams.count * 5000]
        var goesOn = true
        while goesOn {
            goesOn = pair.server.session.nextOutput { _ in }
            left.append(streams.map(pair.server.unsent).reduce(0, +))
        }
        #expect(zip(left, left.dropFirst()).allSatisfy { $0 - $1 <= 64 * 1024 + 5000 }, "\(left)")
        #expect(left.last == 0)
    }

    @Test("a stream whose window grows too large is closed at once") func windowOverflow() throws {
        let server = HTTP2Side(HTTP2Settings(.server))
        let overflow = HTTP2Frame.frame(type: 8, stream: 1, [0x7f, 0xff, 0xff, 0xff])
        server.receive(HTTP2Frame.preface + HTTP2Frame.head(HTTP2Frame.request) + overflow)
        #expect(server.events.last == .closed(1, 3))
        #expect(server.takeOutput().suffix(13) == HTTP2Frame.frame(type: 3, stream: 1, [0, 0, 0, 3])[...])
    }
}
