import Foundation
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

@Suite("Limits of an entry point")
struct ClientLimitsTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    /// Shorter than each of these is no limit, and longer none that a test waits for.
    private static let limit = TimeAmount.milliseconds(400)

    private static func options(_ change: (inout EntryPointLimits) -> Void) -> ProxyHarness.Options {
        var options = ProxyHarness.Options()
        change(&options.entryPoint)
        return options
    }

    /// Sends the pieces of a body, 100 ms apart, until the connection ends, and returns what came.
    private static func trickle(_ client: TCPSocket, pieces: Int = 60) async throws -> String {
        for _ in 0..<pieces {
            guard (try? client.send("x")) != nil else { break }
            try await Task.sleep(for: .milliseconds(100))
        }
        return String(decoding: (try? client.receiveAll()) ?? [], as: UTF8.self)
    }

    @Test("readTimeout bounds a whole request: one whose body never pauses for long is 408")
    func readTimeout() async throws {
        let backend = try ScriptedBackend { connection, _ in _ = try connection.receiveAll() }
        defer { backend.close() }
        try await withProxy(to: [backend.port], Self.options { $0.readTimeout = Self.limit }) { proxy in
            let client = try proxy.connect()
            try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
            let start = ContinuousClock.now
            let reader = Task { try await Threads.run { try client.receive(until: "\r\n\r\n") } }
            let sender = Task { try await Self.trickle(client) }
            try await #expect(reader.value.hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
            #expect((.milliseconds(400) ... .seconds(3)).contains(ContinuousClock.now - start))
            client.close()
            _ = try await sender.value
        }
    }

    @Test("readTimeout counts from the first byte of a head that comes in pieces")
    func readTimeoutOfHead() async throws {
        let options = Self.options { $0.readTimeout = Self.limit }
        try await withProxy(to: [try closedPort()], options) { proxy in
            let start = ContinuousClock.now
            try #expect(proxy.exchange("GET / HTTP/1.1\r\nHo").hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
            #expect((.milliseconds(400) ... .seconds(3)).contains(ContinuousClock.now - start))
        }
    }

    @Test("readTimeout does not bound the response, and each request of a connection has its own")
    func readTimeoutEnds() async throws {
        let backend = try ScriptedBackend { connection, _ in
            for _ in 0..<2 {
                _ = try connection.receive(until: "body")
                // Longer than the limit and a sweep.
                usleep(800_000)
                try connection.send(ok("served"))
            }
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port], Self.options { $0.readTimeout = Self.limit }) { proxy in
            let client = try proxy.connect()
            for _ in 0..<2 {
                try client.send("POST / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\nContent-Length: 4\r\n\r\nbody")
                try #expect(client.receive(until: "served").hasPrefix("HTTP/1.1 200 OK\r\n"))
            }
        }
    }

    @Test("writeTimeout bounds a whole response: none by then is 504, and one that has begun is cut")
    func writeTimeout() async throws {
        let backend = try ScriptedBackend { connection, _ in
            let head = try connection.receive(until: "\r\n\r\n")
            guard head.contains("/stream") else { return _ = try connection.receiveAll() }
            try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<60 {
                try connection.send("1\r\nx\r\n")
                usleep(100_000)
            }
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port], Self.options { $0.writeTimeout = Self.limit }) { proxy in
            let silent = try proxy.connect()
            try silent.send(Self.get)
            try #expect(silent.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 504 Gateway Timeout\r\n"))
            let start = ContinuousClock.now
            let streamed = try proxy.exchange("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(streamed.contains("1\r\nx\r\n") && !streamed.hasSuffix("0\r\n\r\n"))
            #expect((.milliseconds(400) ... .seconds(3)).contains(ContinuousClock.now - start))
        }
    }

    @Test("keepAliveMaxRequests: the last request's response says that the connection closes, and it closes")
    func maxRequests() async throws {
        let backend = try ScriptedBackend.answering(ok("served"))
        defer { backend.close() }
        try await withProxy(to: [backend.port], Self.options { $0.keepAliveMaxRequests = 3 }) { proxy in
            let client = try proxy.connect()
            try client.send(String(repeating: Self.get, count: 4))
            let responses = String(decoding: try client.receiveAll(), as: UTF8.self)
            #expect(responses.components(separatedBy: "served").count == 4)
            #expect(responses.components(separatedBy: "Connection: close\r\n").count == 2)
            try #expect(proxy.exchange(Self.get + Self.get + Self.get).contains("served"), "the next one counts anew")
        }
    }

    @Test("keepAliveMaxTime: a response after that says that the connection closes, and it closes")
    func maxTime() async throws {
        let backend = try ScriptedBackend.answering(ok("served"))
        defer { backend.close() }
        try await withProxy(to: [backend.port], Self.options { $0.keepAliveMaxTime = Self.limit }) { proxy in
            let client = try proxy.connect()
            try client.send(Self.get)
            try #expect(!client.receive(until: "served").contains("Connection: close"))
            try await Task.sleep(for: .milliseconds(450))
            try client.send(Self.get)
            let last = String(decoding: try client.receiveAll(), as: UTF8.self)
            #expect(last.hasPrefix("HTTP/1.1 200 OK\r\n") && last.contains("Connection: close\r\n"))
        }
    }
}
