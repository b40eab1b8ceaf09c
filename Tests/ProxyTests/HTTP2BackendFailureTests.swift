import Foundation
import HTTP2Wire
import LimpetTestKit
import NIOCore
import Synchronization
import Testing

@testable import Proxy

/// How exchanges over HTTP/2 end when they do not end well, and what becomes of the others on their connection.
@Suite("Failures of backends that speak HTTP/2")
struct HTTP2BackendFailureTests {
    private static func request(_ method: String, _ path: String = "/", body: String? = nil) -> String {
        let length = body.map { "Content-Length: \($0.utf8.count)\r\n" } ?? ""
        return "\(method) \(path) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(length)\r\n\(body ?? "")"
    }

    @Test("a stream that the backend refuses is sent again whatever its method, three times at most")
    func refused() async throws {
        let refusals = Mutex(2)
        let backend = try HTTP2Backend { call in
            let isRefused = refusals.withLock { left in
                left -= 1
                return left >= 0
            }
            isRefused ? call.reset(HTTP2ErrorCode.refusedStream) : call.ok("served")
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            try #expect(proxy.exchange(Self.request("DELETE")).hasSuffix("served"))
            #expect(backend.received.count == 3)
            try await #expect(proxy.counters().services["app"]?.retries.retries == [.connectionLost: 2])
            refusals.withLock { $0 = 100 }
            try #expect(proxy.exchange(Self.request("DELETE")).hasPrefix("HTTP/1.1 502 "))
            #expect(backend.received.count == 3 + 4)
            #expect(backend.connectionCount == 1)
        }
    }

    @Test("a refused request is gone with its body, if any of it was sent")
    func refusedWithBody() async throws {
        let backend = try HTTP2Backend { $0.reset(HTTP2ErrorCode.refusedStream) }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            try #expect(proxy.exchange(Self.request("POST", body: "abc")).hasPrefix("HTTP/1.1 502 "))
            #expect(backend.received.count == 1)
        }
    }

    @Test("after a GOAWAY open streams go on, new ones go elsewhere, and the connection closes after the last")
    func goAway() async throws {
        let go = ScriptedBackend.Flag()
        let backend = try HTTP2Backend { call in
            if call.path == "/slow" {
                call.goAway()
                _ = go.isSet(within: 20)
            }
            call.ok("\(call.connection)")
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let slow = try HTTPConnection(port: proxy.port)
            try slow.send(HTTPRequest("GET", "/slow"))
            try await #expect(eventually { backend.received.count == 1 })
            try await #expect(
                eventually { try proxy.exchange(Self.request("POST")).hasSuffix("\r\n\r\n2") })
            try await #expect(proxy.counters().backendConnections == 2)
            go.set()
            try #expect(slow.receive().text == "1")
            try await #expect(eventually { try await proxy.counters().backendConnections == 1 })
        }
    }

    @Test("a stream above the last one of a GOAWAY is sent again, those below go on")
    func aboveLast() async throws {
        let backend = try HTTP2Frames { frames, number in
            guard number == 1 else { return try frames.answerAll("second") }
            let streams = try [frames.receiveHead(), frames.receiveHead()].sorted()
            try frames.send(type: 7, [0, 0, 0, UInt8(streams[0]), 0, 0, 0, 0])
            try frames.answer(streams[0], "first")
            frames.waitForEnd()
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let clients = try (0..<2).map { _ in try HTTPConnection(port: proxy.port) }
            for client in clients { try client.send(HTTPRequest("PUT", "/", fields: ["Content-Length": "0"])) }
            try #expect(Set(clients.map { try $0.receive().text }) == ["first", "second"])
            #expect(backend.connectionCount == 2)
        }
    }

    @Test("a connection that breaks fails each of its streams in the way of its request")
    func broken() async throws {
        let all = ScriptedBackend.Flag()
        let backend = try HTTP2Backend { call in
            guard call.connection == 1 else { return call.ok("again") }
            if call.path == "/body" { call.respond("HTTP/1.1 200 \r\n\r\n", body: [1, 2, 3], ends: false) }
            guard call.path == "/last" else { return }
            _ = all.isSet(within: 20)
            call.close()
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let clients = try ["/body", "/get", "/post", "/last"].map { path in
                let client = try HTTPConnection(port: proxy.port)
                try client.send(HTTPRequest(path == "/post" ? "POST" : "GET", path))
                return client
            }
            try #expect(clients[0].receiveHead().status == 200)
            try await #expect(eventually { backend.received.count == 4 })
            all.set()
            var body: [UInt8] = []
            while case let piece = try clients[0].receiveBody(), !piece.isEmpty { body += piece }
            #expect(body == Array("3\r\n\u{1}\u{2}\u{3}\r\n".utf8), "it has no end")
            try #expect(clients[1].receive().text == "again")
            try #expect(clients[2].receive().status == 502)
            try #expect(clients[3].receive().text == "again")
            #expect(backend.connectionCount == 2)
        }
    }

    @Test("a client that goes has its stream cancelled, and the connection goes on")
    func clientGone() async throws {
        let backend = try HTTP2Backend { call in
            if call.path == "/" { call.ok("x") }
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            _ = try proxy.exchange(Self.request("GET"))
            let client = try HTTPConnection(port: proxy.port)
            try client.send(HTTPRequest("GET", "/held"))
            try await #expect(eventually { backend.received.count == 2 })
            client.socket.reset()
            #expect(backend.received[1].isClosed(within: 5, HTTP2ErrorCode.cancel))
            try #expect(proxy.exchange(Self.request("GET")).hasSuffix("x"))
            #expect(backend.connectionCount == 1)
        }
    }

    @Test("a reset is what a lost connection is: before the head, after an interim response, within the body")
    func resets() async throws {
        let backend = try HTTP2Backend { call in
            switch call.path {
            case "/interim": call.interim("HTTP/1.1 103 \r\n\r\n")
            case "/body": call.respond("HTTP/1.1 200 \r\ncontent-length: 9\r\n\r\n", body: [0x61], ends: false)
            default: break
            }
            call.reset(HTTP2ErrorCode.internalError)
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            for (method, path, count) in [("GET", "/", 2), ("POST", "/", 1), ("GET", "/interim", 1)] {
                let before = backend.received.count
                let response = try proxy.exchange(Self.request(method, path))
                #expect(response.contains("HTTP/1.1 502 "), "\(method) \(path)")
                #expect(backend.received.count - before == count, "\(method) \(path)")
            }
            let response = try proxy.exchange(Self.request("GET", "/body"))
            #expect(response.hasPrefix("HTTP/1.1 200 ") && response.hasSuffix("\r\n\r\na"), "\(response)")
            #expect(backend.connectionCount == 1)
        }
    }

    @Test("a response that does not come in time ends its stream alone, unless nothing came at all")
    func timeouts() async throws {
        let go = ScriptedBackend.Flag()
        let backend = try HTTP2Backend { call in
            if call.path == "/" { call.ok("\(call.connection)") }
            if call.path == "/beat" {
                while !go.isSet(within: 0.1) { call.interim("HTTP/1.1 103 \r\n\r\n") }
            }
        }
        let options = ProxyHarness.Options.toHTTP2 {
            $0.serviceLimits.exchange.responseHead = .milliseconds(700)
            $0.limits.interimResponses = 1000
        }
        try await withProxy(to: [backend.port], options) { proxy in
            _ = try proxy.exchange(Self.request("GET"))
            let beat = try HTTPConnection(port: proxy.port)
            try beat.send(HTTPRequest("GET", "/beat"))
            // Something was heard since: the connection is sound.
            try #expect(proxy.exchange(Self.request("GET", "/silent")).hasPrefix("HTTP/1.1 504 "))
            #expect(backend.received.last?.isClosed(within: 5, HTTP2ErrorCode.cancel) == true)
            try #expect(proxy.exchange(Self.request("GET")).hasSuffix("\r\n\r\n1"))
            go.set()
            try #expect(proxy.exchange(Self.request("GET", "/silent")).hasPrefix("HTTP/1.1 504 "))
            try #expect(proxy.exchange(Self.request("GET")).hasSuffix("\r\n\r\n2"))
        }
    }

    @Test("a client that takes nothing stops its own stream, and no other")
    func slowClient() async throws {
        let size = 8 << 20
        let backend = try HTTP2Backend { call in
            guard call.path == "/large" else { return call.ok("small") }
            call.respond("HTTP/1.1 200 \r\n\r\n", body: Array(repeating: 0x61, count: size))
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let slow = try (0..<20).map { _ in try HTTPConnection(port: proxy.port, timeout: 20) }
            for client in slow { try client.send(HTTPRequest("GET", "/large")) }
            for client in slow { try #expect(client.receiveHead().status == 200) }
            for _ in 0..<10 { try #expect(proxy.exchange(Self.request("GET")).hasSuffix("small")) }
            #expect(backend.connectionCount == 1)
            // What a slow client has not taken goes on when it takes it.
            var count = 0
            while count < size {
                let piece = try slow[0].receiveBody()
                guard !piece.isEmpty else { break }
                count += piece.count
            }
            #expect(count >= size)
        }
    }

    @Test("a backend that takes no body stops its client, and is given up after a while")
    func shutWindow() async throws {
        var settings = HTTP2Settings(.server)
        settings.streamWindow = 1000
        // It does not consume what it receives.
        let backend = try HTTP2Backend(settings, answersEarly: true) { _ in }
        let options = ProxyHarness.Options.toHTTP2 { $0.limits.stallTimeout = .seconds(1) }
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try TCPSocket(port: proxy.port)
            let size = 64 << 20
            try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(size)\r\n\r\n")
            let sent = Mutex(0)
            Threads.detach {
                let piece = [UInt8](repeating: 0x61, count: 64 * 1024)
                while (try? client.send(piece)) != nil { sent.withLock { $0 += piece.count } }
            }
            try #expect(client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 504 "))
            #expect(sent.withLock { $0 } < size / 2)
            #expect(backend.received[0].isClosed(within: 5, HTTP2ErrorCode.cancel))
        }
    }

    @Test("a connection without streams closes after its time, and with the last request of a replica that stops")
    func idle() async throws {
        let backend = try HTTP2Backend { $0.ok("x") }
        let options = ProxyHarness.Options.toHTTP2 { $0.serviceLimits.pool.idleTimeout = .milliseconds(500) }
        try await withProxy(to: [backend.port], options) { proxy in
            _ = try proxy.exchange(Self.request("GET"))
            try await #expect(proxy.counters().backendConnections == 1)
            try await #expect(eventually { try await proxy.counters().backendConnections == 0 })
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            _ = try proxy.exchange(Self.request("GET"))
            try await proxy.apply(Described(backends: [.init("other", backend.port)]))
            try await #expect(eventually { try await proxy.counters().backendConnections == 0 })
        }
    }

    @Test("a head that issues a session key waits until the key is bound, and all that follows waits with it")
    func heldHead() async throws {
        let backend = try HTTP2Backend { call in
            call.respond(
                "HTTP/1.1 200 \r\nx-session-id: \(call.stream)\r\n\r\n", body: Array("body".utf8),
                trailers: "x-sum: 1\r\n")
        }
        let options = ProxyHarness.Options.toHTTP2 {
            $0.isSticky = true
            $0.learns = true
        }
        try await withProxy(to: [backend.port], options) { proxy in
            for _ in 0..<3 {
                let response = try proxy.exchange(Self.request("GET"))
                #expect(response.hasSuffix("4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n"), "\(response)")
            }
        }
    }

    @Test("limits of requests count streams")
    func capacity() async throws {
        let go = ScriptedBackend.Flag()
        let backend = try HTTP2Backend { call in
            _ = go.isSet(within: 20)
            call.ok("x")
        }
        let options = ProxyHarness.Options.toHTTP2 { $0.serviceLimits.pool.maxRequests = 2 }
        try await withProxy(to: [backend.port], options) { proxy in
            let clients = try (0..<3).map { _ in try HTTPConnection(port: proxy.port) }
            for client in clients { try client.send(HTTPRequest()) }
            try await #expect(eventually { backend.received.count == 2 })
            usleep(100_000)
            #expect(backend.received.count == 2)
            go.set()
            for client in clients { try #expect(client.receive().text == "x") }
        }
    }
}
