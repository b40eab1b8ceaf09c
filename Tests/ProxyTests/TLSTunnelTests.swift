import Foundation
import LimpetTestKit
import TLS
import Testing

@testable import Proxy

@Suite("Tunnels over TLS", .serialized)
struct TLSTunnelTests {
    /// A client without TLS, a data plane that reaches the next one over TLS, and a backend without.
    private static func withTunnel(
        _ script: @escaping @Sendable (TCPSocket) throws -> Void,
        _ body: (TCPSocket, _ planes: [ProxyHarness]) async throws -> Void
    ) async throws {
        let origin = try TunnelTests.switching { connection in try script(connection) }
        defer { origin.close() }
        let served = try TLSServed("IP:127.0.0.1,DNS:a.example")
        var settings = BackendTLSSettings()
        settings.client.authorities = try ServerCertificate.authorities(served.authority.root.certificateBytes)
        var (back, front) = (ProxyHarness.Options(), ProxyHarness.Options())
        back.tls = served.serving(defaultCertificate: "IP:127.0.0.1,DNS:a.example")
        front.backendTLS = try BackendTLS(settings)
        let options = front
        try await withProxy(to: [origin.port], back) { backend in
            try await withProxy(to: [backend.port], options) { proxy in
                let client = try proxy.connect()
                client.setTimeout(seconds: 10)
                try client.send(TunnelTests.upgrade())
                let head = try client.receive(until: "\r\n\r\n")
                #expect(head.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
                try await body(client, [proxy, backend])
                try await #expect(
                    eventually {
                        for plane in [proxy, backend] where try await plane.counters().openTunnels != 0 { return false }
                        return true
                    })
            }
        }
    }

    @Test("carry what both sides send, in pieces of any size, and end when the client does")
    func bothWays() async throws {
        let size = 2 << 20
        let body = (0..<size).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }
        let ended = ScriptedBackend.Flag()
        try await Self.withTunnel { connection in
            while case let bytes = try connection.receive(), !bytes.isEmpty { try connection.send(bytes) }
            ended.set()
        } _: { client, planes in
            for piece in [1, 125, 16 << 10, 70_000] {
                try client.send(Array(body.prefix(piece)))
                var echoed: [UInt8] = []
                while echoed.count < piece {
                    let received = try client.receive(upTo: piece - echoed.count)
                    // The connection has ended.
                    try #require(!received.isEmpty)
                    echoed += received
                }
                #expect(echoed.elementsEqual(body.prefix(piece)), "\(piece)")
            }
            let handshakes = try await planes[1].counters().handshakes.completed.values.reduce(0, +)
            #expect(handshakes == 1)
            let sending = Task.detached {
                try client.send(body)
            }
            var echoed: [UInt8] = []
            while echoed.count < size {
                let bytes = try client.receive()
                guard !bytes.isEmpty else { break }
                echoed += bytes
            }
            try await sending.value
            #expect(echoed == body)
            client.close()
            #expect(ended.isSet(within: 5))
        }
    }

    @Test("hold back a backend whose client does not read, and end when it does, behind all that it has sent")
    func endOfBackend() async throws {
        let piece = Data((0..<64 << 10).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) })
        let (sent, isFull) = (Counter(), ScriptedBackend.Flag())
        try await Self.withTunnel { connection in
            repeat {
                try connection.send(Array(piece))
                sent.add(piece.count)
            } while !isFull.isSet(within: 0)
            connection.close()
        } _: { client, _ in
            var last = -1
            try await #require(
                eventually {
                    defer { last = sent.value }
                    try await Task.sleep(for: .milliseconds(200))
                    return sent.value > 0 && sent.value == last
                })
            isFull.set()
            var received = 0
            while true {
                let start = received % piece.count
                let bytes = try client.receive(upTo: piece.count - start)
                guard !bytes.isEmpty else { break }
                try #require(Data(bytes) == piece[start..<start + bytes.count])
                received += bytes.count
                // Slower than the others, so that something waits for it when the backend closes.
                usleep(3_000)
            }
            #expect(received == sent.value)
            client.close()
        }
    }
}
