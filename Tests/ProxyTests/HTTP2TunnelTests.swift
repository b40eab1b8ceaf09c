import Affinity
import HTTP2Wire
import LimpetTestKit
import Testing

@testable import Proxy

/// WebSocket over HTTP/2 (RFC 8441).
@Suite("Tunnels in a stream of HTTP/2")
struct HTTP2TunnelTests {
    private static let connect = [
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/chat"),
        (":authority", "h"), ("sec-websocket-version", "13"), ("x-session-id", "s"),
    ]

    /// Opens a tunnel on stream 1.
    private static func open(_ proxy: ProxyHarness) throws -> TCPSocket {
        let client = try proxy.connect()
        try client.send(HTTP2Frame.preface + HTTP2Frame.head(ends: false, connect))
        return client
    }

    /// The next frame of this type on stream 1.
    private static func next(_ type: UInt8, _ client: TCPSocket) throws -> HTTP2Frame {
        while true {
            let frame = try HTTP2Frame(from: client)
            if frame.stream == 1, frame.type == type { return frame }
        }
    }

    private static func hasReleasedAll(_ proxy: ProxyHarness) async throws -> Bool {
        try await eventually {
            let counters = try await proxy.counters()
            return counters.openTunnels == 0 && counters.backendConnections == 0 && counters.requestsInFlight == 0
                && counters.backendRequestsInFlight["app"] == ["b0": 0]
        }
    }

    @Test("carry what both sides send, and end each direction by itself")
    func echo() async throws {
        let backend = try TunnelTests.switching { connection in
            try connection.send("first")
            while case let bytes = try connection.receive(), !bytes.isEmpty { try connection.send(bytes) }
            try connection.send("last")
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try Self.open(proxy)
            let head = try Self.next(1, client)
            // The first field is `:status: 200`, which has a number (RFC 7541, appendix A), and nothing ends here.
            #expect(head.payload.first == 0x88 && head.flags == 4)
            #expect(try Self.next(0, client).payload == Array("first".utf8))
            for text in ["one", "two"] {
                try client.send(HTTP2Frame.frame(type: 0, stream: 1, Array(text.utf8)))
                #expect(try Self.next(0, client).payload == Array(text.utf8))
            }
            #expect(try await proxy.onLoop { $0.openTunnels } == 1)
            try await #expect(proxy.counters().clientConnections == [1])
            try client.send(HTTP2Frame.frame(type: 0, flags: 1, stream: 1))
            var frame = try Self.next(0, client)
            #expect(frame.payload == Array("last".utf8))
            if frame.flags & 1 == 0 { frame = try Self.next(0, client) }
            #expect(frame.flags & 1 == 1)
            #expect(try await Self.hasReleasedAll(proxy))
            let request = try #require(backend.heads.first)
            #expect(request.hasPrefix("GET /chat HTTP/1.1\r\n"))
            #expect(request.contains("Connection: upgrade\r\nUpgrade: websocket\r\n"))
            #expect(request.contains("Sec-WebSocket-Key: ") && request.contains("sec-websocket-version: 13\r\n"))
        }
    }

    @Test("end with a reset of the stream, or with their backend; the connection goes on", arguments: [true, false])
    func reset(byClient: Bool) async throws {
        let ended = ScriptedBackend.Flag()
        let backend = try TunnelTests.switching { connection in
            if byClient { while case let bytes = try? connection.receive(), bytes?.isEmpty == false {} }
            connection.reset()
            ended.set()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try Self.open(proxy)
            #expect(try Self.next(1, client).payload.first == 0x88)
            if byClient {
                try client.send(HTTP2Frame.frame(type: 3, stream: 1, [0, 0, 0, 8]))
            } else {
                #expect(try Self.next(3, client).payload.count == 4)
            }
            #expect(ended.isSet(within: 5))
            #expect(try await Self.hasReleasedAll(proxy))
            #expect(try await proxy.onLoop { $0.openClients } == 1)
        }
    }

    @Test("are refused as their backend refuses them, and what the client has sent is dropped")
    func refused() async throws {
        let backend = try TunnelTests.switching("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno") { connection in
            _ = try connection.receive()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try Self.open(proxy)
            try client.send(HTTP2Frame.frame(type: 0, stream: 1, Array("early".utf8)))
            _ = try Self.next(1, client)
            let body = try Self.next(0, client)
            #expect(body.payload == Array("no".utf8) && body.flags & 1 == 1)
            #expect(try Self.next(3, client).payload == [0, 0, 0, 0])
        }
    }

    /// How an extended CONNECT was answered. Nothing of it is held against the backend.
    private static func answer(
        to head: [(String, String)] = connect, from backend: ScriptedBackend
    ) async throws -> ExchangeLogEntry {
        defer { backend.close() }
        let log = RecordedExchanges()
        var options = ProxyHarness.Options()
        options.exchangeLog = log
        options.passiveHealthCheck = PassiveHealthCheck()
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try proxy.connect()
            try client.send(HTTP2Frame.preface + HTTP2Frame.head(ends: false, head))
            _ = try Self.next(1, client)
            client.close()
            #expect(try await Self.hasReleasedAll(proxy))
            #expect(proxy.health.isUp(0))
        }
        return try #require(log.all.first)
    }

    private static let accepts = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"

    /// The client takes each 2xx for the beginning of a tunnel.
    @Test(
        "are 502 if their backend answers a success that is no switch, or a nonce wrongly",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlogin", "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n", "\(accepts)\r\n",
            "\(accepts)Sec-WebSocket-Accept: bGltcGV0bGltcGV0bGltcGV0bGk=\r\n\r\n",
        ])
    func noSwitch(_ answer: String) async throws {
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send(answer)
            _ = try connection.receive()
        }
        let answer = try await Self.answer(from: backend)
        #expect(answer.status == 502 && answer.failedAttempt?.reason == .switchRefused)
    }

    private static func connect(to protocol: String) -> [(String, String)] {
        connect.map { ($0, $0 == ":protocol" ? `protocol` : $1) }
    }

    @Test("of another protocol have no key of a WebSocket, and are those of an HTTP/1.1 backend")
    func otherProtocol() async throws {
        let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\n\r\n"
        let backend = try TunnelTests.switching(answer) { _ in }
        let switched = try await Self.answer(to: Self.connect(to: "connect-udp"), from: backend)
        #expect(switched.status == 101)
        let request = try #require(backend.heads.first)
        #expect(request.contains("Upgrade: connect-udp\r\n") && !request.lowercased().contains("sec-websocket-key"))
    }

    @Test("of a version of HTTP or TLS are 501", arguments: ["h2c", "h2", "http", "tls"])
    func otherHTTP(_ protocol: String) async throws {
        let backend = try TunnelTests.switching { _ in }
        let answer = try await Self.answer(to: Self.connect(to: `protocol`), from: backend)
        #expect(answer.status == 501 && answer.cause?.reason == .notImplemented && backend.heads.isEmpty)
    }

    @Test("with a length are malformed")
    func length() async throws {
        try await withProxy(to: [1]) { proxy in
            let client = try proxy.connect()
            let head = HTTP2Frame.head(ends: false, Self.connect + [("content-length", "5")])
            try client.send(HTTP2Frame.preface + head)
            #expect(try Self.next(3, client).payload == [0, 0, 0, 1])
        }
    }

    @Test("read no faster than their backend takes")
    func backPressure() async throws {
        let go = ScriptedBackend.Flag()
        let backend = try TunnelTests.switching { connection in
            #expect(go.isSet(within: 10))
            var count = 0
            while count < 60_000 { count += try connection.receive().count }
            try connection.send("all")
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try Self.open(proxy)
            _ = try Self.next(1, client)
            let piece = [UInt8](repeating: 120, count: 10_000)
            for _ in 0..<6 { try client.send(HTTP2Frame.frame(type: 0, stream: 1, piece)) }
            go.set()
            #expect(try Self.next(0, client).payload == Array("all".utf8))
        }
    }
}
