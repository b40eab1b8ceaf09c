import HTTP2Wire
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

@Suite("Clients that flood a connection of HTTP/2")
struct HTTP2ClientFloodTests {
    private static let kindsOfFlood: [(HTTP2Flood, [UInt8])] = [
        (.pings, Array((0..<1500).map { _ in HTTP2Frame.frame(type: 6, Array(repeating: 0, count: 8)) }.joined())),
        (
            .resetsSent,
            (0..<1500).flatMap { HTTP2Frame.head(stream: UInt32(2 * $0 + 1), [(":path", "/")]) }
        ),
        (
            .fields,
            HTTP2Frame.frame(type: 1, flags: 1, stream: 1, HTTP2Frame.block(HTTP2Frame.request))
                + (0..<20).flatMap { _ in HTTP2Frame.frame(type: 9, stream: 1) }
        ),
    ]

    private static let enhanceYourCalm: ArraySlice<UInt8> = [0, 0, 0, 0xb]

    /// The last one of those that come until the connection is closed.
    private static func goAway(from socket: TCPSocket) -> HTTP2Frame? {
        var last: HTTP2Frame?
        while let frame = try? HTTP2Frame(from: socket) { if frame.type == 7 { last = frame } }
        return last
    }

    @Test("are closed at a flood, which is counted by its kind, and logged with the client", arguments: kindsOfFlood)
    func floods(_ kind: HTTP2Flood, _ frames: [UInt8]) async throws {
        let backend = try ScriptedBackend.answering(ok("x"))
        defer { backend.close() }
        let log = RecordedLog()
        var options = ProxyHarness.Options()
        options.logger = log.logger
        try await withProxy(to: [backend.port], options) { proxy in
            let socket = try proxy.connect()
            try socket.send(HTTP2Frame.preface + frames)
            #expect(Self.goAway(from: socket)?.payload.suffix(4) == Self.enhanceYourCalm)
            try await #expect(eventually { try await proxy.counters().http2.floods == [kind: 1] })
            try await #expect(eventually { try await proxy.onLoop { $0.openClients } == 0 })
        }
        #expect(
            log.lines == [
                "A client flooded its HTTP/2 connection, which was closed. client=127.0.0.1 entryPoint=web "
                    + "kind=\(kind.rawValue)"
            ])
    }

    @Test("are read after a flood no further than what may have been on its way")
    func floodGoesOn() async throws {
        var options = ProxyHarness.Options()
        options.limits.lingerTimeout = .seconds(1)
        try await withProxy(to: [9], options) { proxy in
            let socket = try proxy.connect()
            try socket.send(HTTP2Frame.preface + Self.kindsOfFlood[0].1)
            let piece = [UInt8](repeating: 0, count: 1 << 20)
            var pieces = 0
            while pieces < 100, (try? socket.send(piece)) != nil { pieces += 1 }
            // Socket buffers hold some.
            #expect(pieces < 16)
            #expect(Self.goAway(from: socket)?.payload.suffix(4) == Self.enhanceYourCalm)
        }
    }
}
