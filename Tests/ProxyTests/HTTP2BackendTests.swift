import Foundation
import HTTP2Wire
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

/// Requests of HTTP/1.1 clients to backends that speak HTTP/2.
@Suite("Backends that speak HTTP/2")
struct HTTP2BackendTests {
    private static let get = "GET /a?b HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"

    @Test("get the request with its edits, and the client gets the response")
    func exchange() async throws {
        let backend = try HTTP2Backend { $0.ok("hello", "x-own: 1\r\n") }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let response = try proxy.exchange(Self.get)
            #expect(response.hasPrefix("HTTP/1.1 200 OK\r\n") && response.hasSuffix("\r\n\r\nhello"), "\(response)")
            #expect(response.fieldLines.contains("x-own: 1") && response.fieldLines.contains("content-length: 5"))
            let head = try #require(backend.received.first?.head)
            #expect(head.hasPrefix("GET /a?b HTTP/1.1\r\nhost: shop.example\r\n"), "\(head)")
            #expect(head.fieldLines.contains("x-forwarded-for: 127.0.0.1"))
            #expect(!head.contains("connection:") && !head.contains("transfer-encoding"))
            for _ in 0..<5 { _ = try proxy.exchange(Self.get) }
            #expect(backend.connectionCount == 1)
            try await #expect(proxy.counters().backendConnections == 1)
        }
    }

    @Test("get bodies and trailers of any framing, and theirs arrive")
    func bodies() async throws {
        let backend = try HTTP2Backend { call in
            call.respond("HTTP/1.1 200 \r\n\r\n", body: call.body, trailers: "x-sum: \(call.body.count)\r\n")
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let large = String(repeating: "0123456789", count: 50_000)
            for body in ["abc", large] {
                let framings = [
                    "Content-Length: \(body.utf8.count)\r\n\r\n\(body)",
                    "Transfer-Encoding: chunked\r\n\r\n\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n"
                        + "X-Kept: 1\r\nAge: 1\r\n\r\n",
                ]
                for framing in framings {
                    let client = try HTTPConnection(port: proxy.port)
                    try client.socket.send("POST / HTTP/1.1\r\nHost: h\r\n\(framing)")
                    let response = try client.receive()
                    #expect(response.status == 200 && response.text == body)
                }
            }
            let calls = backend.received
            #expect(calls.map(\.trailers) == ["", "x-kept: 1\r\n\r\n", "", "x-kept: 1\r\n\r\n"])
            #expect(calls.map { $0.head.fieldLines.contains("content-length: 3") } == [true, false, false, false])
            let response = try proxy.exchange(Self.get)
            #expect(response.hasSuffix("\r\n\r\n0\r\nx-sum: 0\r\n\r\n"), "\(response)")
        }
    }

    @Test("answer without a body in every way that there is")
    func bodiless() async throws {
        let backend = try HTTP2Backend { call in
            switch call.path {
            case "/204": call.respond("HTTP/1.1 204 \r\n\r\n")
            case "/304": call.respond("HTTP/1.1 304 \r\netag: \"a\"\r\ncontent-length: 7\r\n\r\n")
            case "/head": call.respond("HTTP/1.1 200 \r\ncontent-length: 7\r\n\r\n")
            case "/late": call.respond("HTTP/1.1 200 \r\n\r\n", ends: false); call.send([], ends: true)
            default: call.respond("HTTP/1.1 200 \r\n\r\n")
            }
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let client = try HTTPConnection(port: proxy.port)
            for (method, path, status, length) in [
                ("GET", "/204", 204, nil), ("GET", "/304", 304, "7"), ("HEAD", "/head", 200, "7"),
                ("GET", "/", 200, "0"), ("HEAD", "/", 200, nil), ("GET", "/late", 200, nil),
            ] {
                try client.send(HTTPRequest(method, path))
                let response = try method == "HEAD" || status == 304 ? client.receiveHead() : client.receive()
                #expect(response.status == status && response["Content-Length"] == length, "\(method) \(path)")
                #expect(response.body.isEmpty)
            }
        }
    }

    @Test("send interim responses, which a client of HTTP/1.1 gets before the last one")
    func interim() async throws {
        let backend = try HTTP2Backend { call in
            call.interim("HTTP/1.1 103 \r\nlink: </a>\r\n\r\n")
            call.ok("x")
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let response = try proxy.exchange(Self.get)
            let heads = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"
            #expect(response.hasPrefix(heads), "\(response)")
        }
    }

    @Test("are told that the client takes trailers, if it said so")
    func te() async throws {
        let backend = try HTTP2Backend { $0.ok("") }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            for (te, isTold) in [("trailers", true), ("gzip, Trailers ", true), ("gzip;q=1", false)] {
                _ = try proxy.exchange(
                    "GET / HTTP/1.1\r\nHost: h\r\nTE: \(te)\r\nConnection: close, te\r\n\r\n")
                #expect(backend.received.last?.head.fieldLines.contains("te: trailers") == isTold, "\(te)")
            }
        }
    }

    @Test("carry many requests at once on one connection, up to what they allow, and then on another")
    func concurrency() async throws {
        let go = ScriptedBackend.Flag()
        var settings = HTTP2Settings(.server)
        settings.streams = 4
        let backend = try HTTP2Backend(settings) { call in
            if call.path != "/first" { _ = go.isSet(within: 20) }
            call.ok("\(call.connection)")
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            _ = try proxy.exchange("GET /first HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            let clients = try (0..<6).map { _ in try HTTPConnection(port: proxy.port) }
            for client in clients { try client.send(HTTPRequest()) }
            try await #expect(eventually { backend.received.count == 7 })
            #expect(backend.connectionCount == 2)
            #expect(backend.received.filter { $0.connection == 1 }.count == 5)
            go.set()
            for client in clients { try #expect(client.receive().status == 200) }
        }
    }

    @Test("are connected to once for all who wait")
    func oneAttempt() async throws {
        let backend = try HTTP2Backend { $0.ok("\($0.connection)") }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let clients = try (0..<40).map { _ in try HTTPConnection(port: proxy.port) }
            for client in clients { try client.send(HTTPRequest()) }
            for client in clients { try #expect(client.receive().text == "1") }
            #expect(backend.connectionCount == 1)
        }
    }
}
