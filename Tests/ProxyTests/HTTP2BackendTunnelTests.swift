import Affinity
import Foundation
import HTTP2Wire
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

/// WebSocket over HTTP/2 (RFC 8441) toward backends.
@Suite("Tunnels in a stream of HTTP/2 to a backend", .serialized)
struct HTTP2BackendTunnelTests {
    private static let request = TunnelTests.upgrade(
        "Connection: Upgrade\r\nUpgrade: websocket\r\nsec-webSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            + "Sec-WebSocket-Version: 13\r\n")
    /// ENABLE_CONNECT_PROTOCOL.
    private static let takesWebSockets: [UInt8] = [0, 8, 0, 0, 0, 1]

    private static func open(_ proxy: ProxyHarness) throws -> (client: TCPSocket, head: String) {
        let client = try proxy.connect()
        try client.send(request)
        return (client, try client.receive(until: "\r\n\r\n"))
    }

    private static func hasReleasedAll(_ proxy: ProxyHarness) async throws -> Bool {
        try await eventually {
            let counters = try await proxy.counters()
            return counters.openTunnels == 0 && counters.requestsInFlight == 0
                && counters.backendRequestsInFlight["app"] == ["b0": 0]
        }
    }

    /// A backend that accepts the first request, and then runs the script.
    private static func accepting(
        _ script: @escaping @Sendable (HTTP2Frames.Connection, UInt32) throws -> Void
    ) throws -> HTTP2Frames {
        try HTTP2Frames(settings: takesWebSockets) { frames, _ in
            let stream = try frames.receiveHead()
            try frames.socket.send(HTTP2Frame.head(stream: stream, ends: false, [(":status", "200")]))
            try script(frames, stream)
        }
    }

    private static func next(_ type: UInt8, _ frames: HTTP2Frames.Connection) throws -> HTTP2Frame {
        while true {
            let frame = try HTTP2Frame(from: frames.socket)
            if frame.type == type, frame.stream != 0 { return frame }
        }
    }

    @Test("carry what both sides send through two proxies, and end each direction by itself")
    func chain() async throws {
        let origin = try TunnelTests.switching { connection in
            try connection.send("first")
            while case let bytes = try connection.receive(), !bytes.isEmpty { try connection.send(bytes) }
            try connection.send("last")
        }
        defer { origin.close() }
        try await withProxy(to: [origin.port]) { back in
            try await withProxy(to: [back.port], ProxyHarness.Options.toHTTP2()) { proxy in
                // The second one finds the settings known.
                for count in 1...2 {
                    let (client, head) = try Self.open(proxy)
                    #expect(head.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"), "\(head)")
                    let fields = head.fieldLines
                    #expect(fields.contains("connection: upgrade") && fields.contains("upgrade: websocket"))
                    #expect(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
                    #expect(!fields.contains { $0.hasPrefix("content-length") || $0.hasPrefix("transfer-encoding") })
                    try #expect(client.receive(until: "first") == "first")
                    let large = String(repeating: "x", count: 300_000) + "."
                    for text in ["one", "two", large] {
                        try client.send(text)
                        try #expect(client.receive(until: String(text.suffix(3))).count == text.count)
                    }
                    try await #expect(proxy.onLoop { $0.openTunnels } == 1)
                    try await #expect(proxy.counters().backendConnections == 1)
                    client.closeOutput()
                    try #expect(String(decoding: client.receiveAll(), as: UTF8.self) == "last")
                    try await #expect(Self.hasReleasedAll(proxy))
                    try await #expect(Self.hasReleasedAll(back))
                    try await #expect(back.counters().http2.connections == 1)
                    let received = try #require(origin.heads.last)
                    #expect(received.hasPrefix("GET /chat HTTP/1.1\r\n") && origin.heads.count == count)
                    #expect(received.contains("Connection: upgrade\r\nUpgrade: websocket\r\n"))
                    #expect(received.contains("sec-websocket-version: 13\r\n"))
                    #expect(!received.contains("dGhlIHNhbXBsZSBub25jZQ=="), "HTTP/2 has no nonce")
                }
            }
        }
    }

    @Test("are opened by clients of HTTP/2, too")
    func fromHTTP2() async throws {
        let backend = try Self.accepting { frames, stream in
            let content = try Self.next(0, frames)
            try frames.send(type: 0, stream: stream, content.payload)
            try frames.send(type: 0, flags: 1, stream: stream, Array("end".utf8))
            frames.waitForEnd()
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            while !client.side.session.takesWebSockets { try client.read() }
            let head = "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
            let stream = try #require(client.side.send(webSocket: head))
            try client.send(Array("hello".utf8), on: stream, ends: false)
            while client[stream].text != "helloend" { try client.read() }
            #expect(client[stream].interim.first?.hasPrefix("HTTP/1.1 101 ") == true)
            try client.send([], on: stream, ends: true)
            try await #expect(Self.hasReleasedAll(proxy))
            try await #expect(proxy.counters().backendConnections == 1)
        }
    }

    @Test("are not opened to a backend that takes none: 502 at once, and nothing is held against the backend")
    func refused() async throws {
        let late = ScriptedBackend.Flag()
        let backend = try HTTP2Frames { frames, _ in
            late.set()
            try frames.answerAll("plain")
        }
        let log = RecordedExchanges()
        let options = ProxyHarness.Options.toHTTP2 {
            $0.exchangeLog = log
            $0.passiveHealthCheck = PassiveHealthCheck()
        }
        try await withProxy(to: [backend.port], options) { proxy in
            for _ in 0..<2 {
                let (_, head) = try Self.open(proxy)
                #expect(head.hasPrefix("HTTP/1.1 502 "))
            }
            let other = try HTTP2Client(port: proxy.port)
            try other.socket.send(
                HTTP2Frame.head([
                    (":method", "CONNECT"), (":protocol", "connect-udp"), (":scheme", "http"), (":path", "/"),
                    (":authority", "h"),
                ]))
            try await #expect(eventually { log.all.count == 3 && log.all.allSatisfy { $0.status == 502 } })
            #expect(proxy.health.isUp(0))
            let plain = try proxy.exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            #expect(plain.contains("plain") && backend.connectionCount == 1)
            let failure = try #require(log.all.first?.failedAttempt)
            #expect(failure.reason == .switchRefused && failure.detail?.contains("RFC 8441") == true)
            try await #expect(Self.hasReleasedAll(proxy))
        }
    }

    @Test("are refused as their backend refuses them")
    func refusedByBackend() async throws {
        let backend = try HTTP2Frames(settings: Self.takesWebSockets) { frames, _ in
            let stream = try frames.receiveHead()
            try frames.socket.send(
                HTTP2Frame.head(stream: stream, ends: false, [(":status", "403")])
                    + HTTP2Frame.frame(type: 0, flags: 1, stream: stream, Array("no".utf8)))
            #expect(try Self.next(3, frames).payload == [0, 0, 0, 0], "the stream is let go")
            frames.waitForEnd()
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let (client, head) = try Self.open(proxy)
            #expect(head.hasPrefix("HTTP/1.1 403 "))
            try #expect(client.receive(until: "no\r\n").contains("no"))
            try await #expect(Self.hasReleasedAll(proxy))
        }
    }

    @Test("wait for the backend's settings, and a client that goes meanwhile leaves nothing")
    func lateSettings() async throws {
        let go = ScriptedBackend.Flag()
        let backend = try ScriptedBackend { socket, _ in
            _ = try socket.receive(until: "SM\r\n\r\n")
            let frames = HTTP2Frames.Connection(socket: socket)
            _ = go.isSet(within: 10)
            try frames.send(type: 4, Self.takesWebSockets)
            let stream = try frames.receiveHead()
            #expect(stream == 1, "the first was never sent")
            try socket.send(HTTP2Frame.head(stream: stream, ends: false, [(":status", "200")]))
            frames.waitForEnd()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let gone = try proxy.connect()
            try gone.send(Self.request)
            try await #expect(eventually { try await proxy.counters().backendConnections == 1 })
            gone.reset()
            try await #expect(Self.hasReleasedAll(proxy))
            let client = try proxy.connect()
            try client.send(Self.request)
            usleep(100_000)
            go.set()
            try #expect(client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 101 "))
            #expect(backend.connectionCount == 1)
        }
    }

    enum End: CaseIterable { case clientResets, backendResets, connectionBreaks, idle, backendGoesAway }

    @Test(
        "end with either side, or with their time, and only their connection's end ends others", arguments: End.allCases
    )
    func ends(_ end: End) async throws {
        let backend = try Self.accepting { frames, stream in
            switch end {
            case .clientResets, .idle: #expect(try Self.next(3, frames).payload == [0, 0, 0, 8])
            case .backendResets: try frames.send(type: 3, stream: stream, [0, 0, 0, 8])
            case .connectionBreaks: return frames.socket.reset()
            case .backendGoesAway:
                try frames.send(type: 7, [0, 0, 0, UInt8(stream), 0, 0, 0, 0])
                try frames.send(type: 0, flags: 1, stream: stream, Array("bye".utf8))
            }
            frames.waitForEnd()
        }
        let options = ProxyHarness.Options.toHTTP2 {
            if end == .idle { $0.serviceLimits.exchange.tunnel = .milliseconds(300) }
        }
        try await withProxy(to: [backend.port], options) { proxy in
            let (client, head) = try Self.open(proxy)
            #expect(head.hasPrefix("HTTP/1.1 101 "))
            switch end {
            case .clientResets: client.reset()
            case .backendGoesAway:
                try #expect(String(decoding: client.receiveAll(), as: UTF8.self) == "bye")
                client.closeOutput()
            default: try? #expect(client.receiveAll().isEmpty)
            }
            client.close()
            try await #expect(Self.hasReleasedAll(proxy))
            let isLeft = end == .clientResets || end == .backendResets || end == .idle
            try await #expect(eventually { try await proxy.counters().backendConnections == (isLeft ? 1 : 0) })
        }
    }

    @Test("read no faster than the other end takes, both ways")
    func backPressure() async throws {
        let size = 24 << 20
        let go = ScriptedBackend.Flag()
        let origin = try TunnelTests.switching { connection in
            #expect(go.isSet(within: 20))
            var count = 0
            while count < size { count += try connection.receive().count }
            try connection.send([UInt8](repeating: 0x62, count: size))
        }
        defer { origin.close() }
        try await withProxy(to: [origin.port]) { back in
            try await withProxy(to: [back.port], ProxyHarness.Options.toHTTP2()) { proxy in
                let (client, _) = try Self.open(proxy)
                let sent = ScriptedBackend.Flag()
                Threads.detach {
                    try? client.send([UInt8](repeating: 0x61, count: size))
                    sent.set()
                }
                #expect(!sent.isSet(within: 0.5))
                go.set()
                #expect(sent.isSet(within: 10))
                usleep(300_000)
                var count = 0
                while count < size {
                    let piece = try client.receive()
                    guard !piece.isEmpty else { break }
                    count += piece.count
                }
                #expect(count == size)
            }
        }
    }
}
