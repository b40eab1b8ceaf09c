import Foundation
import LimpetTestKit
import NIOCore
import Synchronization
import Testing

@testable import Proxy

@Suite("Refusals")
struct RefusalTests {
    @Test(
        "a malformed request is answered, the connection closed, and nothing goes upstream",
        arguments: [
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("GET / HTTP/1.1\nHost: a\n\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: deflate, chunked\r\n\r\n0\r\n\r\n", 501),
            ("GET http://b/ HTTP/1.1\r\n\r\n", 400),
            ("GET http://b/ HTTP/1.1\r\nHost: b\r\nHost: b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1.1.1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
            ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            ("GET /\(String(repeating: "a", count: 17_000)) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 17_000))\r\n\r\n", 431),
            ("GET / HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: a\r\n", count: 101))\r\n", 431),
        ])
    func malformed(request: String, status: Int) async throws {
        let backend = try ScriptedBackend.answering(ok("never"))
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let response = try proxy.exchange(request)
            #expect(response.hasPrefix("HTTP/1.1 \(status) "))
            #expect(response.contains("Connection: close\r\n") || status == 501)
            #expect(response.components(separatedBy: "HTTP/1.1 ").count == 2, "more than one answer")
            #expect(backend.connectionCount == 0)
        }
    }

    @Test(
        "the answer to a HEAD that is refused has no body",
        arguments: [
            ("HEAD / HTTP/1.1\r\n\r\n", 400), ("\r\nHEAD / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400),
            ("HEAD /\(String(repeating: "a", count: 17_000)) HTTP/1.1\r\n", 414),
            ("HEAD / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 17_000))\r\n", 431),
            ("HEAD / HTTP/3.0\r\n\r\n", 505), ("HEAD / HTTP/1.1\r\nHost: a\r\n", 408),
            ("HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x, chunked\r\n\r\n", 501),
            ("HEADX / HTTP/3.0\r\n\r\n", 505), ("HEAD", 408), ("GET / HTTP/1.1\r\n\r\n", 400),
        ])
    func refusedHead(request: String, status: Int) async throws {
        var options = ProxyHarness.Options()
        options.entryPoint.headTimeout = .milliseconds(200)
        try await withProxy(to: [try closedPort()], options) { proxy in
            let response = try proxy.exchange(request)
            #expect(response.hasPrefix("HTTP/1.1 \(status) "))
            let isHead = request.hasPrefix("HEAD ") || request.hasPrefix("\r\nHEAD ")
            #expect(response.hasSuffix("\r\n\r\n") == isHead)
            #expect(response.contains("\r\nContent-Length: "))
            #expect(response.contains("\r\nDate: "))
        }
    }

    @Test(
        "a path with a segment . or .. goes to no backend: another than was routed might be served",
        arguments: [
            ("/a/../b", true), ("/..", true), ("/./a", true), ("/a/.", true), ("/a/%2e%2E/b", true), ("/a/.%2e", true),
            ("/a/..%2fb", true), ("/a%2F..%5Cb", true), ("/a\\..\\b", true), ("/a/..;x/b", true), ("/%2e%3B", true),
            ("/", false), ("/a.b/c", false), ("/.well-known/x", false), ("/a/...", false), ("/a/..b", false),
            ("/a/b..", false), ("/a?x=/../b", false), ("/a;x=..", false), ("/%2e%2ea", false), ("/a%", false),
        ])
    func dotSegments(target: String, isRefused: Bool) async throws {
        let backend = try ScriptedBackend.answering(ok("served"))
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let response = try proxy.exchange("GET \(target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(response.hasPrefix(isRefused ? "HTTP/1.1 400 " : "HTTP/1.1 200 "))
        }
    }

    @Test("a bad body is answered with 400; what was sent upstream stays incomplete and both connections close")
    func badBody() async throws {
        let arrived = ScriptedBackend.Flag()
        let closed = ScriptedBackend.Flag()
        let rest = Received()
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            let body = try connection.receive(until: "abc\r\n")
            arrived.set()
            rest.set(Array(body.utf8) + (try connection.receiveAll()))
            closed.set()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send(
                "POST / HTTP/1.1\r\nHost: a\r\nX-Session-ID: s\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            #expect(arrived.isSet(within: 5))
            try client.send("z")
            try client.send("z\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            let response = String(decoding: try client.receiveAll(), as: UTF8.self)
            #expect(response.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
            #expect(closed.isSet(within: 5), "the backend's connection was not closed")
            #expect(rest.text == "3\r\nabc\r\n", "the backend saw more or less than the good part of the body")
            #expect(backend.connectionCount == 1)
        }
    }

    @Test("a request for no route is 404 and the connection goes on")
    func refusedThenServed() async throws {
        let backend = try ScriptedBackend.answering(ok("served"))
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.rule = "Host(`h`)"
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try proxy.connect()
            try client.send("GET / HTTP/1.1\r\nHost: other\r\n\r\n")
            let first = try client.receive(until: "404 Not Found\n")
            #expect(first.hasPrefix("HTTP/1.1 404 Not Found\r\n"))
            try client.send("GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\n\r\n")
            try #expect(client.receive(until: "served").hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
    }

    @Test(
        "a response that is none is 502 and its connection is not used again",
        arguments: [
            "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\nb\r\n\r\n",
        ])
    func badResponse(response: String) async throws {
        let backend = try ScriptedBackend { connection, number in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send(number == 1 ? response : ok("good"))
            _ = try connection.receive()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            let request = "POST / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\nContent-Length: 0\r\n\r\n"
            try client.send(request)
            try #expect(client.receive(until: "Bad Gateway\n").hasPrefix("HTTP/1.1 502 Bad Gateway\r\n"))
            try client.send(request)
            try #expect(client.receive(until: "good").hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(backend.connectionCount == 2)
        }
    }
}

/// What a script read.
private final class Received: Sendable {
    private let bytes = Mutex<[UInt8]>([])

    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }

    func set(_ received: [UInt8]) { bytes.withLock { $0 = received } }
}
