import HTTP2Wire
import LimpetTestKit
import Testing

/// What a client does that a server does not.
@Suite struct HTTP2ClientRoleTests {
    /// A client that has sent its preface, and has received a server's.
    private func client() -> HTTP2Side {
        let client = HTTP2Side(HTTP2Settings(.client))
        client.receive(HTTP2Frame.frame(type: 4))
        _ = (client.takeOutput(), client.takeEvents())
        return client
    }

    private func request(_ client: HTTP2Side, _ method: String = "GET") throws -> UInt32 {
        let stream = try #require(client.send(request: "\(method) / HTTP/1.1\r\nHost: a\r\n\r\n"))
        _ = client.takeOutput()
        return UInt32(stream)
    }

    /// Where the frames say that nothing follows, the head does.
    @Test func responsesWithoutABodySayItsLength() throws {
        let client = client()
        for (method, status, line) in [
            ("GET", "200", "content-length: 0\r\n"), ("HEAD", "200", ""), ("GET", "204", ""), ("GET", "304", ""),
        ] {
            let stream = try request(client, method)
            client.receive(HTTP2Frame.head(stream: stream, [(":status", status)]))
            #expect(
                client.takeEvents().first == .head(Int32(stream), "HTTP/1.1 \(status) \r\n\(line)\r\n", ends: true))
        }
        let stream = try request(client, "HEAD")
        client.receive(HTTP2Frame.head(stream: stream, ends: false, [(":status", "200")]))
        #expect(client.takeEvents() == [.head(Int32(stream), "HTTP/1.1 200 \r\n\r\n", ends: false)])
    }

    @Test func settings() throws {
        let client = HTTP2Side(HTTP2Settings(.client))
        #expect(!client.session.hasPeerSettings && client.session.peerStreams == 100)
        client.receive(HTTP2Frame.frame(type: 4, [0, 3, 0, 0, 0, 7]))
        #expect(client.session.hasPeerSettings && client.session.peerStreams == 7)
    }

    /// It was ruled out, and would be a request of somebody else.
    @Test func push() throws {
        let client = client()
        let stream = try request(client)
        let promise = [0, 0, 0, 2] + HTTP2Frame.block(HTTP2Frame.request)
        client.receive(HTTP2Frame.frame(type: 5, flags: 4, stream: stream, promise))
        #expect(client.isEnded && client.takeEvents().isEmpty)
    }

    /// A server may refuse every request, and open the window of each.
    @Test func refusalsAreNoFlood() throws {
        let client = client()
        for _ in 0..<3000 {
            let stream = try request(client)
            client.receive(HTTP2Frame.frame(type: 8, stream: stream, [0, 0, 1, 0]))
            client.receive(HTTP2Frame.frame(type: 3, stream: stream, [0, 0, 0, 7]))
            #expect(client.takeEvents() == [.closed(Int32(stream), 7)])
        }
        #expect(!client.isEnded)
    }

    @Test func resetsOfNothingAreAFlood() throws {
        let client = client()
        let stream = try request(client)
        for _ in 0..<1100 { client.receive(HTTP2Frame.frame(type: 3, stream: stream, [0, 0, 0, 7])) }
        #expect(client.isEnded && client.session.flood == .resets)
    }

    /// Clients of a proxy may go away as often as they want to.
    @Test func ownCancelsAreNoFlood() throws {
        let client = client()
        for _ in 0..<3000 {
            client.session.reset(Int32(try request(client)), HTTP2ErrorCode.cancel)
            _ = client.takeOutput()
        }
        client.receive(HTTP2Frame.frame(type: 6, Array(repeating: 0, count: 8)))
        #expect(!client.isEnded)
    }

    /// What the server had sent before it knew.
    @Test func responsesAfterOwnCancelsAreNoFlood() throws {
        let client = client()
        for _ in 0..<3000 {
            let stream = try request(client)
            client.session.reset(Int32(stream), HTTP2ErrorCode.cancel)
            _ = client.takeOutput()
            client.receive(HTTP2Frame.head(stream: stream, ends: false, [(":status", "200")]))
            client.receive(HTTP2Frame.head(stream: stream, [("x", "y")]))
        }
        #expect(!client.isEnded)
    }

    @Test func answersToOwnPingsAreNoFlood() throws {
        let client = client()
        for _ in 0..<3000 {
            client.session.ping()
            _ = client.takeOutput()
            client.receive(HTTP2Frame.frame(type: 6, flags: 1, Array(repeating: 0, count: 8)))
        }
        #expect(!client.isEnded)
    }

    /// A request for a WebSocket goes and comes in the form of HTTP/1.1, and is an extended CONNECT between (RFC 8441).
    @Test func webSocket() throws {
        let pair = Pair()
        #expect(pair.client.session.takesWebSockets && !pair.server.session.takesWebSockets)
        let head =
            "GET /c?d HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
        let stream = try #require(pair.client.send(webSocket: head + "X-A: 1\r\n\r\n"))
        pair.exchange()
        let received =
            "GET /c?d HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Key: bGltcGV0bGltcGV0bGltcA==\r\nhost: a\r\nx-a: 1\r\n\r\n"
        #expect(pair.server.takeEvents() == [.head(stream, received, ends: false)])
        pair.server.send(
            response: "HTTP/1.1 200 \r\nX-B: 2\r\nSec-WebSocket-Accept: y\r\n\r\n", on: stream, ends: false)
        pair.exchange()
        let accepted =
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            + "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nx-b: 2\r\n\r\n"
        #expect(pair.client.takeEvents() == [.head(stream, accepted, ends: false)])
    }

    /// A refusal is an ordinary response, and a 101 none at all.
    @Test func refusedWebSocket() throws {
        let client = client()
        for (status, isForWebSocket) in [("403", true), ("101", true), ("101", false)] {
            let head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
            let stream = try #require(isForWebSocket ? client.send(webSocket: head) : client.send(request: head))
            _ = (client.takeOutput(), client.takeEvents())
            client.receive(HTTP2Frame.head(stream: UInt32(stream), ends: false, [(":status", status)]))
            let event = try #require(client.takeEvents().first)
            if status == "403" {
                #expect(event == .head(stream, "HTTP/1.1 403 \r\ntransfer-encoding: chunked\r\n\r\n", ends: false))
            } else {
                #expect(event == .refusedHead(stream, .malformed))
            }
        }
    }

    @Test func ping() {
        let pair = Pair()
        pair.client.session.ping()
        let bytes = pair.client.takeOutput()
        #expect(bytes.count == 17 && bytes[3] == 6 && bytes[4] == 0)
        pair.server.receive(bytes)
        #expect(pair.server.takeOutput()[4] == 1, "it is answered")
    }
}
