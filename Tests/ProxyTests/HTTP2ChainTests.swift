import Foundation
import HTTP2Wire
import LimpetTestKit
import NIOCore
import TLS
import Testing

@testable import Proxy

/// HTTP/2 on both sides, and the choice of a protocol by TLS.
@Suite("HTTP/2 from the client to the backend")
struct HTTP2ChainTests {
    @Test("carries calls of gRPC: both directions at once, trailers, and a status without a body")
    func grpc() async throws {
        let backend = try HTTP2Backend(answersEarly: true) { call in
            guard call.path == "/echo" else {
                return call.respond("HTTP/1.1 200 \r\ncontent-type: application/grpc\r\ngrpc-status: 12\r\n\r\n")
            }
            call.respond("HTTP/1.1 200 \r\ncontent-type: application/grpc\r\n\r\n", body: [1, 2, 3], ends: false)
            call.send([4, 5], trailers: "grpc-status: 0\r\ngrpc-message: ok\r\n", ends: true)
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let grpc = "content-type: application/grpc\r\n"
            let echo = try #require(try client.send("POST", "/echo", grpc, body: "abc", ends: false))
            let response = try client.response(to: echo)
            #expect(response.status == 200 && response.body == [1, 2, 3, 4, 5])
            #expect(response.trailers == "grpc-status: 0\r\ngrpc-message: ok\r\n\r\n")
            let unknown = try #require(try client.send("POST", "/no", grpc, body: "abc"))
            let refusal = try client.response(to: unknown)
            #expect(refusal.values(of: "grpc-status") == ["12"] && refusal.body.isEmpty && refusal.trailers.isEmpty)
            #expect(backend.connectionCount == 1)
        }
    }

    @Test("passes a reset of the client on, and the other streams go on")
    func reset() async throws {
        let go = ScriptedBackend.Flag()
        let backend = try HTTP2Backend { call in
            _ = go.isSet(within: 20)
            call.ok(call.path)
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let streams = try ["/a", "/b", "/c"].map { try #require(try client.send("GET", $0)) }
            try await #expect(eventually { backend.received.count == 3 })
            try client.reset(streams[1])
            let cancelled = try #require(backend.received.first { $0.path == "/b" })
            #expect(cancelled.isClosed(within: 5, HTTP2ErrorCode.cancel))
            go.set()
            try #expect(client.response(to: streams[0]).text == "/a")
            try #expect(client.response(to: streams[2]).text == "/c")
            #expect(backend.connectionCount == 1)
        }
    }

    @Test("is chosen by TLS, unless it is disabled, and not for what may become a tunnel")
    func negotiated() async throws {
        let origin = try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                guard head.contains("websocket") else {
                    try connection.send(ok("well"))
                    continue
                }
                try connection.send("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
                try connection.send(connection.receive())
            }
        }
        defer { origin.close() }
        let served = try TLSServed("IP:127.0.0.1,DNS:a.example")
        let tls = served.serving(defaultCertificate: "IP:127.0.0.1,DNS:a.example")
        var settings = BackendTLSSettings()
        settings.client.authorities = try ServerCertificate.authorities(served.authority.root.certificateBytes)
        let request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        for isDisabled in [false, true] {
            settings.disablesHTTP2 = isDisabled
            let reached = try BackendTLS(settings)
            let log = RecordedExchanges()
            let back = ProxyHarness.Options.toHTTP2 {
                $0.tls = tls
                $0.exchangeLog = log
                $0.backendsAreHTTP2 = false
            }
            let front = ProxyHarness.Options.toHTTP2 {
                $0.backendTLS = reached
                $0.backendsAreHTTP2 = false
            }
            try await withProxy(to: [origin.port], back) { backend in
                try await withProxy(to: [backend.port], front) { proxy in
                    for _ in 0..<2 { try #expect(proxy.exchange(request).hasSuffix("well")) }
                    try await #expect(eventually { log.all.count == 2 })
                    #expect(log.all.map(\.version) == (isDisabled ? [.http11, .http11] : [.http2, .http2]))
                    let client = try proxy.connect()
                    try client.send(
                        "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
                    try #expect(client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 101 "))
                    try client.send("frame")
                    try #expect(client.receive(until: "frame") == "frame")
                    try #expect(proxy.exchange(request).hasSuffix("well"))
                }
            }
        }
    }
}
