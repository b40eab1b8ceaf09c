import Foundation
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

@Suite("Tunnels")
struct TunnelTests {
    private static let accepts = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    static func upgrade(_ fields: String = "Connection: Upgrade\r\nUpgrade: websocket\r\n") -> String {
        "GET /chat HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\n\(fields)\r\n"
    }

    /// A backend that switches protocols, and then runs the script.
    static func switching(
        _ answer: String = accepts, _ script: @escaping @Sendable (TCPSocket) throws -> Void
    ) throws -> ScriptedBackend {
        let heads = Heads()
        let backend = try ScriptedBackend { connection, _ in
            let head = try connection.receive(until: "\r\n\r\n")
            heads.backend?.record(Array(head.utf8))
            try connection.send(accepting(head, answer))
            try script(connection)
        }
        heads.backend = backend
        return backend
    }

    /// With the answer to the nonce of a WebSocket's handshake, if the answer is a 101 and the request has one.
    static func accepting(_ head: String, _ answer: String) -> String {
        let accept = Array(head.utf8).withUnsafeBytes(WebSocketAccept.answer(toHead:))
        let isToAnswer = answer.hasPrefix("HTTP/1.1 101 ") && !answer.contains("Sec-WebSocket-Accept")
        guard !accept.isEmpty, isToAnswer, let end = answer.range(of: "\r\n\r\n") else { return answer }
        let line = "\r\nSec-WebSocket-Accept: " + String(decoding: accept, as: UTF8.self)
        return answer.replacingCharacters(in: end, with: line + "\r\n\r\n")
    }

    // Written once, before the first connection can be made.
    private final class Heads: @unchecked Sendable {
        weak var backend: ScriptedBackend?
    }

    /// A backend that sends back what it receives, until the end.
    private static func echo(_ answer: String = accepts) throws -> ScriptedBackend {
        try switching(answer) { connection in
            while case let bytes = try connection.receive(), !bytes.isEmpty { try connection.send(bytes) }
        }
    }

    /// A client whose request has been answered with 101.
    private static func open(_ proxy: ProxyHarness, _ request: String = upgrade()) throws -> TCPSocket {
        let client = try proxy.connect()
        try client.send(request)
        try #expect(client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
        return client
    }

    private static func openTunnels(_ proxy: ProxyHarness) async throws -> Int {
        try await proxy.onLoop { $0.openTunnels }
    }

    /// Everything that a tunnel held is released.
    private static func hasReleasedAll(_ proxy: ProxyHarness) async throws -> Bool {
        try await eventually {
            let counters = try await proxy.counters()
            return counters.openTunnels == 0 && counters.backendConnections == 0 && counters.requestsInFlight == 0
                && counters.clientConnections == [0] && counters.backendRequestsInFlight["app"] == ["b0": 0]
        }
    }

    // MARK: The switch

    @Test("Both heads name the protocols, and nothing else of the connections")
    func heads() async throws {
        let answer =
            "HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\nX-Hop: 1\r\nConnection: X-Hop, upgrade\r\n"
            + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nContent-Length: 5\r\n\r\n"
        let backend = try Self.echo(answer)
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send(
                Self.upgrade(
                    "Connection: keep-alive, Upgrade, X-Own\r\nUpgrade: h2c, websocket\r\nUpgrade: foo/1\r\nX-Own: 1\r\n"
                        + "HTTP2-Settings: x\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"))
            let head = try client.receive(until: "\r\n\r\n")
            #expect(
                head == "HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\n"
                    + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nConnection: upgrade\r\n\r\n")
            let sent = backend.heads[0].fieldLines
            #expect(sent.contains("connection: upgrade") && sent.contains("upgrade: websocket, foo/1"))
            #expect(sent.contains("sec-websocket-key: dghlihnhbxbszsbub25jzq=="))
            #expect(!sent.contains { $0.hasPrefix("x-own") || $0.hasPrefix("http2-settings") })
            #expect(sent.filter { $0.hasPrefix("connection") || $0.hasPrefix("upgrade") }.count == 2)
            try client.send("ping")
            #expect(try client.receive(until: "ping") == "ping")
        }
    }

    @Test("The affinity cookie goes on a 101, and leads back")
    func cookie() async throws {
        let backends = try [Self.echo(), Self.echo(), Self.echo()]
        defer { for backend in backends { backend.close() } }
        try await withProxy(to: backends.map(\.port)) { proxy in
            let upgrade = "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
            let first = try proxy.connect()
            try first.send(upgrade + "\r\n")
            let head = try first.receive(until: "\r\n\r\n")
            let line = try #require(head.components(separatedBy: "\r\n").first { $0.hasPrefix("Set-Cookie: limpet=") })
            let cookie = line.dropFirst("Set-Cookie: ".count).prefix { $0 != ";" }
            for _ in 0..<5 {
                let again = try proxy.connect()
                try again.send(upgrade + "Cookie: \(cookie)\r\n\r\n")
                try #expect(!again.receive(until: "\r\n\r\n").contains("Set-Cookie"))
            }
            #expect(backends.map(\.connectionCount).sorted() == [0, 0, 6])
        }
    }

    @Test("A backend that does not switch answers as always, and the connection goes on", arguments: [200, 426])
    func refused(status: Int) async throws {
        let backend = try ScriptedBackend.answering(
            "HTTP/1.1 \(status) Text\r\nUpgrade: foo\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nno")
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            for _ in 0..<2 {
                try client.send(Self.upgrade())
                try #expect(client.receive(until: "\r\n\r\nno").hasPrefix("HTTP/1.1 \(status) Text\r\n"))
            }
            #expect(backend.connectionCount == 1)
        }
    }

    @Test(
        "A request that cannot switch is served as any other, without Upgrade",
        arguments: [
            "POST / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
            "POST / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: h\r\nConnection: upgrade, keep-alive\r\nUpgrade: websocket\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c, TLS/1.3\r\n\r\n",
        ])
    func ordinary(request: String) async throws {
        let backend = try ScriptedBackend.answering(ok("served"))
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send(request)
            try #expect(client.receive(until: "served").hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(!backend.heads[0].lowercased().contains("upgrade"))
        }
    }

    @Test(
        "A 101 that accepts what was not offered is 502, and its connection is closed",
        arguments: [
            "Connection: upgrade\r\nUpgrade: other\r\n", "Upgrade: websocket\r\n", "Connection: upgrade\r\n",
            "Connection: upgrade\r\nUpgrade: websocket, other\r\n",
        ])
    func wrongSwitch(fields: String) async throws {
        let isClosed = ScriptedBackend.Flag()
        let backend = try Self.switching("HTTP/1.1 101 Switching Protocols\r\n\(fields)\r\n") { connection in
            if try connection.receiveAll().isEmpty { isClosed.set() }
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send(Self.upgrade() + "early")
            try #expect(client.receive(until: "Bad Gateway\n").hasPrefix("HTTP/1.1 502 "))
            #expect(isClosed.isSet(within: 5))
            try await #expect(Self.openTunnels(proxy) == 0)
        }
    }

    // MARK: The bytes

    @Test("What comes before the 101, and with it, is neither lost nor sent too early")
    func early() async throws {
        let hasEarly = ScriptedBackend.Flag()
        let backend = try ScriptedBackend { connection, _ in
            let head = try connection.receive(until: "\r\n\r\n")
            connection.setTimeout(seconds: 1)
            if (try? connection.receive()) != nil { hasEarly.set() }
            connection.setTimeout(seconds: 20)
            try connection.send(Self.accepts + "first")
            try #expect(head.hasPrefix("GET ") && connection.receive(until: "frame") == "frame")
            try connection.send("last")
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send(Self.upgrade() + "frame")
            _ = try client.receive(until: "\r\n\r\n")
            #expect(String(decoding: try client.receiveAll(), as: UTF8.self) == "firstlast")
            #expect(!hasEarly.isSet(within: 0))
            client.close()
            try await #expect(Self.hasReleasedAll(proxy))
        }
    }

    @Test("Megabytes pass both ways at once, unchanged, and no faster than they are read")
    func bulk() async throws {
        let backend = try Self.echo()
        defer { backend.close() }
        let bytes = (0..<16 * 1024 * 1024).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try Self.open(proxy)
            Threads.detach {
                try? client.send(bytes)
                client.closeOutput()
            }
            // The reader is late, so that every buffer on the way is full.
            try await Task.sleep(for: .milliseconds(300))
            let received = try client.receiveAll()
            #expect(received.count == bytes.count && received == bytes)
            client.close()
            try await #expect(Self.hasReleasedAll(proxy))
        }
    }

    @Test("A side that ends its output still receives", arguments: [Tunnel.Side.client, .backend])
    func halfClosed(side: Tunnel.Side) async throws {
        let backend = try Self.switching { connection in
            if side == .backend { connection.closeOutput() }
            let received = try connection.receiveAll()
            if side == .client { try connection.send(received + Array("answer".utf8)) }
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try Self.open(proxy)
            if side == .client {
                try client.send("question")
                client.closeOutput()
                #expect(String(decoding: try client.receiveAll(), as: UTF8.self) == "questionanswer")
            } else {
                #expect(try client.receiveAll().isEmpty)
                try client.send("more")
                try await #expect(Self.openTunnels(proxy) == 1)
            }
            client.close()
            try await #expect(Self.hasReleasedAll(proxy))
        }
    }

    @Test("A client that ended its output before the 101 is told to the backend after it")
    func closedEarly() async throws {
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            usleep(100_000)
            try connection.send(Self.accepts)
            try connection.send(try connection.receiveAll() + Array("end".utf8))
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send(Self.upgrade() + "x")
            client.closeOutput()
            let all = String(decoding: try client.receiveAll(), as: UTF8.self)
            #expect(all.hasPrefix("HTTP/1.1 101 ") && all.hasSuffix("\r\n\r\nxend"))
            try await #expect(Self.hasReleasedAll(proxy))
        }
    }

    @Test("A reset of one side closes the other", arguments: [Tunnel.Side.client, .backend])
    func reset(side: Tunnel.Side) async throws {
        let isClosed = ScriptedBackend.Flag()
        let backend = try Self.switching { connection in
            if side == .backend { return connection.reset() }
            _ = try? connection.receiveAll()
            isClosed.set()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try Self.open(proxy)
            if side == .client {
                client.reset()
                #expect(isClosed.isSet(within: 5))
            } else {
                #expect((try? client.receiveAll())?.isEmpty ?? true)
            }
            try await #expect(Self.hasReleasedAll(proxy))
        }
    }

    // MARK: Time-outs and stops

    @Test("A silent tunnel stays unless a time-out is set, and bytes of either side put that off")
    func idle() async throws {
        let backend = try Self.echo()
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.limits.stallTimeout = .milliseconds(100)
        options.entryPoint.bodyGapTimeout = .milliseconds(100)
        options.entryPoint.idleTimeout = .milliseconds(100)
        options.entryPoint.writeTimeout = .milliseconds(100)
        options.serviceLimits.exchange.responseGap = .milliseconds(100)
        options.serviceLimits.exchange.request = .milliseconds(100)
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try Self.open(proxy)
            try await Task.sleep(for: .milliseconds(1200))
            try client.send("still here")
            #expect(try client.receive(until: "still here") == "still here")
        }
        options.serviceLimits.exchange.tunnel = .seconds(3)
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try Self.open(proxy)
            for _ in 0..<8 {
                try await Task.sleep(for: .milliseconds(500))
                try client.send("x")
                #expect(try client.receive(until: "x") == "x")
            }
            #expect(try client.receiveAll().isEmpty)
            try await #expect(Self.hasReleasedAll(proxy))
        }
    }

    @Test("At the end of a stop a WebSocket is closed with 1001 both ways, between two frames")
    func stop() async throws {
        let received = ScriptedBackend.Flag()
        let backend = try Self.switching { connection in
            // Half a frame: the Close frame has to wait for the rest.
            try connection.send([0x82, 4, 1, 2])
            var bytes = try connection.receive(upTo: 8)
            while bytes.count < 8, case let more = try connection.receive(), !more.isEmpty { bytes += more }
            try connection.send([3, 4, 0x81])
            let isClose = bytes.count == 8 && bytes[0] == 0x88 && bytes[1] == 0x82
            if isClose, bytes[6] ^ bytes[2] == 0x03, bytes[7] ^ bytes[3] == 0xe9 { received.set() }
            _ = try? connection.receiveAll()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try Self.open(proxy)
            #expect(try client.receive(upTo: 4) == [0x82, 4, 1, 2])
            try await proxy.stop()
            try await Task.sleep(for: .milliseconds(300))
            try await #expect(Self.openTunnels(proxy) == 1, "left alone until the deadline")
            try await proxy.onLoop { $0.endTunnels() }
            #expect(try client.receiveAll() == [3, 4, 0x88, 2, 0x03, 0xe9])
            #expect(received.isSet(within: 5))
            client.close()
            try await #expect(Self.hasReleasedAll(proxy))
        }
    }

    @Test("At the end of a stop other protocols are cut, and so is a WebSocket that does not end")
    func cut() async throws {
        let other = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n"
        for (answer, isAtOnce) in [(other, true), (Self.accepts, false)] {
            let backend = try Self.switching(answer) { connection in
                try connection.send([0x82, 4, 1, 2])
                usleep(5_000_000)
            }
            defer { backend.close() }
            try await withProxy(to: [backend.port]) { proxy in
                let client = try Self.open(proxy, Self.upgrade("Connection: upgrade\r\nUpgrade: websocket, foo\r\n"))
                #expect(try client.receive(upTo: 4).count == 4)
                let began = ContinuousClock.now
                try await proxy.onLoop { $0.endTunnels() }
                _ = try? client.receiveAll()
                try await #expect(Self.hasReleasedAll(proxy))
                #expect((ContinuousClock.now - began < .milliseconds(700)) == isAtOnce)
            }
        }
    }
}
