import Affinity
import Foundation
import LimpetTestKit
import NIOCore
import Synchronization
import Testing

@testable import Proxy

@Suite("Failures of backends and clients")
struct FailureTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\nConnection: close\r\n\r\n"
    private static let post =
        "POST / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody"

    @Test("a response head that was cut has no part in that of the second attempt, however short")
    func cutHead() async throws {
        let backend = try ScriptedBackend { connection, number in
            _ = try connection.receive(until: "\r\n\r\n")
            guard number == 1 else { return try connection.send("HTTP/1.1 204 No Content\r\n\r\n") }
            try connection.send("HTTP/1.1 200 OK\r\nX-Long: ")
            for letter in ["a", "b", "c"] {
                // Keeps the pieces apart: that one was read is not to be seen from here.
                usleep(20_000)
                try connection.send(String(repeating: letter, count: 300))
            }
        }
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.serviceLimits.exchange.responseHead = .seconds(2)
        try await withProxy(to: [backend.port], options) { proxy in
            let response = try proxy.exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            #expect(response.hasPrefix("HTTP/1.1 204 "))
            #expect(backend.connectionCount == 2)
        }
    }

    @Test("a backend that takes a POST and goes: 502, and the request is not sent again")
    func postOnce() async throws {
        let backend = try ScriptedBackend { connection, _ in _ = try connection.receive(until: "body") }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            try #expect(proxy.exchange(Self.post).hasPrefix("HTTP/1.1 502 Bad Gateway\r\n"))
            #expect(backend.connectionCount == 1)
        }
    }

    @Test("a backend that takes a GET and goes: the request is sent once more, and no more than that")
    func getTwice() async throws {
        let backend = try ScriptedBackend { connection, _ in _ = try connection.receive(until: "\r\n\r\n") }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            try #expect(proxy.exchange(Self.get).hasPrefix("HTTP/1.1 502 Bad Gateway\r\n"))
            #expect(backend.connectionCount == 2)
            try await #expect(proxy.counters().services["app"]?.retries.retries == [.connectionLost: 1])
        }
    }

    @Test("a kept connection that the backend closes under a GET costs the client nothing")
    func staleConnection() async throws {
        let backend = try ScriptedBackend { connection, number in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send(ok("\(number)"))
            _ = try connection.receive(until: "\r\n\r\n")
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            for expected in 1...3 { try #expect(proxy.exchange(Self.get).hasSuffix("\r\n\r\n\(expected)")) }
        }
    }

    @Test("a backend that cannot be reached: the session moves, once, and the request is served")
    func moves() async throws {
        let good = try ScriptedBackend.answering(ok("good"))
        defer { good.close() }
        let dead = try closedPort()
        try await withProxy(to: [dead, good.port]) { proxy in
            for number in 0..<20 {
                let response = try proxy.exchange(
                    "POST / HTTP/1.1\r\nHost: h\r\nX-Session-ID: \(number)\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                )
                #expect(response.hasSuffix("good"))
            }
            #expect(!proxy.health.isUp(0))
            try await #expect(proxy.counters().backendConnectFailures == 2, "it was tried again while known to be down")
        }
    }

    @Test("no backend that can be reached: 503; one that comes back serves within two seconds")
    func allDown() async throws {
        let port = try closedPort()
        try await withProxy(to: [port]) { proxy in
            try #expect(proxy.exchange(Self.get).hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
            try await #expect(proxy.counters().backendConnections == 0, "what was not made is not open")
            let backend = try ScriptedBackend(port: port) { connection, _ in
                _ = try connection.receive(until: "\r\n\r\n")
                try connection.send(ok("back"))
            }
            defer { backend.close() }
            try await #expect(Waiting.eventually(within: 2) { proxy.health.isUp(0) })
            try #expect(proxy.exchange(Self.get).hasSuffix("back"))
        }
    }

    @Test("a backend that dies within a body: the client's connection is cut, without a clean end")
    func diesInBody() async throws {
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let response = try proxy.exchange(Self.get)
            #expect(response.hasSuffix("5\r\nhello\r\n"))
        }
    }

    @Test("bytes behind a response are not taken for the next one")
    func surplus() async throws {
        let backend = try ScriptedBackend { connection, number in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send(ok("\(number)") + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother")
            _ = try connection.receive()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            for expected in 1...3 { try #expect(proxy.exchange(Self.get).hasSuffix("\r\n\r\n\(expected)")) }
            #expect(backend.connectionCount == 3)
        }
    }

    @Test("an answer before the end of the request is passed on, and both connections end")
    func earlyAnswer() async throws {
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
            _ = try connection.receiveAll()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let response = try proxy.exchange(
                "POST / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\nContent-Length: 100000\r\n\r\nstart")
            #expect(response.hasPrefix("HTTP/1.1 403 Forbidden\r\n"))
            #expect(response.contains("Connection: close\r\n"))
            #expect(response.hasSuffix("no"))
        }
    }

    @Test("a client that goes takes its backend connection with it")
    func clientGoes() async throws {
        let seen = ScriptedBackend.Flag()
        let gone = ScriptedBackend.Flag()
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            seen.set()
            if try connection.receive().isEmpty { gone.set() }
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send(Self.get)
            #expect(seen.isSet(within: 2))
            client.reset()
            #expect(gone.isSet(within: 2))
        }
    }

    /// What a client that sends these bytes, and no more, gets from a proxy whose time-outs are 300 ms; in the time of
    /// one and a sweep, with room for a busy machine.
    private func exchangeInTime(_ bytes: String) async throws -> String {
        let silent = try ScriptedBackend { connection, _ in _ = try connection.receiveAll() }
        defer { silent.close() }
        var options = ProxyHarness.Options()
        options.entryPoint.headTimeout = .milliseconds(300)
        options.entryPoint.bodyGapTimeout = .milliseconds(300)
        options.serviceLimits.exchange.responseHead = .milliseconds(300)
        options.entryPoint.idleTimeout = .milliseconds(300)
        var response = ""
        try await withProxy(to: [silent.port], options) { proxy in
            let start = ContinuousClock.now
            response = try proxy.exchange(bytes)
            #expect((.milliseconds(300) ... .seconds(2)).contains(ContinuousClock.now - start))
        }
        return response
    }

    @Test("a backend that does not answer in time: 504")
    func silentBackend() async throws {
        try await #expect(exchangeInTime(Self.get).hasPrefix("HTTP/1.1 504 Gateway Timeout\r\n"))
    }

    @Test("a client that does not end its head, or its body, in time: 408", arguments: ["GET / HTTP/1.1\r\nHo", post])
    func silentClient(_ bytes: String) async throws {
        try await #expect(exchangeInTime(String(bytes.dropLast())).hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
    }

    @Test("a connection on which no request comes in time is closed without a word")
    func silentConnection() async throws {
        try await #expect(exchangeInTime("") == "")
    }

    @Test("a stop answers what is under way, says that it closes, and leaves no connection")
    func stop() async throws {
        let wasAsked = ScriptedBackend.Flag()
        let stopped = ScriptedBackend.Flag()
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            wasAsked.set()
            guard stopped.isSet(within: 20) else { return }
            try connection.send(ok("finished"))
            _ = try connection.receive()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let busy = try proxy.connect()
            let idle = try proxy.connect()
            try busy.send("GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\n\r\n")
            #expect(wasAsked.isSet(within: 10))
            try await proxy.stop()
            stopped.set()
            let response = String(decoding: try busy.receiveAll(), as: UTF8.self)
            #expect(response.hasSuffix("finished") && response.contains("Connection: close\r\n"))
            try #expect(idle.receiveAll().isEmpty)
            #expect(throws: (any Error).self) { _ = try proxy.connect() }
        }
    }

    @Test("connections over the limit wait until there is room")
    func connectionLimit() async throws {
        let backend = try ScriptedBackend.answering(ok("served"))
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.limits.clientConnections = 2
        try await withProxy(to: [backend.port], options) { proxy in
            let held = try (0..<2).map { _ in try proxy.connect() }
            for client in held {
                try client.send("GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\n\r\n")
                _ = try client.receive(until: "served")
            }
            let waiting = try proxy.connect()
            waiting.setTimeout(seconds: 1)
            try waiting.send(Self.get)
            #expect(throws: (any Error).self, "it was served over the limit") { _ = try waiting.receive() }
            held[0].close()
            waiting.setTimeout(seconds: 5)
            #expect(String(decoding: try waiting.receiveAll(), as: UTF8.self).hasSuffix("served"))
        }
    }

    @Test("a slow reader of a large body holds back the backend instead of filling memory")
    func backPressure() async throws {
        let sent = Counter()
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 268435456\r\n\r\n")
            let piece = [UInt8](repeating: 120, count: 1 << 20)
            for _ in 0..<256 {
                try connection.send(piece)
                sent.add(piece.count)
            }
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send("GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\n\r\n")
            // Until it gets no further.
            var last = -1
            try await #require(
                eventually {
                    defer { last = sent.value }
                    try await Task.sleep(for: .milliseconds(100))
                    return sent.value > 0 && sent.value == last
                })
            // What the kernel's buffers hold, and little more.
            #expect(sent.value < 32 << 20)
            var received = 0
            while received < 268_435_456 { received += try client.receive(upTo: 1 << 20).count }
            #expect(sent.value == 268_435_456)
        }
    }
}

/// A number that threads add to.
final class Counter: Sendable {
    private let total = Mutex(0)

    var value: Int { total.withLock { $0 } }

    func add(_ count: Int) { total.withLock { $0 += count } }
}
