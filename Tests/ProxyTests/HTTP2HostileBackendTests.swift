import HTTP2Wire
import LimpetTestKit
import NIOCore
import Synchronization
import Testing

@testable import Proxy

/// Backends that break the rules of HTTP/2 end their own streams or connections, and nothing else.
@Suite("Hostile backends that speak HTTP/2")
struct HTTP2HostileBackendTests {
    private static let post = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

    typealias Connection = HTTP2Frames.Connection

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// How the answer to the first request begins.
        let expected: String
        /// Whether the connection outlives it.
        let goesOn: Bool
        let answer: @Sendable (Connection, UInt32) throws -> Void

        init(
            _ name: String, _ expected: String = "HTTP/1.1 502 ", goesOn: Bool = true,
            answer: @escaping @Sendable (Connection, UInt32) throws -> Void
        ) {
            testDescription = name
            self.expected = expected
            self.goesOn = goesOn
            self.answer = answer
        }

        /// A head with these fields, and nothing else.
        init(_ name: String, head fields: [(String, String)]) {
            self.init(name) { try $0.socket.send(HTTP2Frame.head(stream: $1, ends: false, fields)) }
        }
    }

    private static let cases: [Case] = heads + bodies + frames

    private static let heads: [Case] = [
        Case("a head without status", head: [("x", "y")]),
        Case("a status of two digits", head: [(":status", "20")]),
        Case("a status that is no number", head: [(":status", "2x0")]),
        Case("a status beyond 599", head: [(":status", "999")]),
        Case("a switch of protocols", head: [(":status", "101")]),
        Case("a pseudo-header field of requests", head: [(":status", "200"), (":path", "/")]),
        Case("CRLF in a value", head: [(":status", "200"), ("x", "a\r\nset-cookie: b")]),
        Case("CR in a name", head: [(":status", "200"), ("x\r", "a")]),
        Case("a name in capitals", head: [(":status", "200"), ("X", "a")]),
        Case("a field of HTTP/1.1 connections", head: [(":status", "200"), ("transfer-encoding", "chunked")]),
        Case("two lengths", head: [(":status", "200"), ("content-length", "1"), ("content-length", "2")]),
        Case("a head that is too large") { connection, stream in
            try connection.send(type: 1, stream: stream, HTTP2Frame.block([(":status", "200")]))
            let field = HTTP2Frame.block([("x", String(repeating: "y", count: 16_000))])
            for index in 0..<6 { try connection.send(type: 9, flags: index == 5 ? 4 : 0, stream: stream, field) }
        },
    ]

    private static let bodies: [Case] = [
        Case("content without a head", goesOn: false) { try $0.send(type: 0, stream: $1, [1]) },
        Case("an end without a head", goesOn: false) { try $0.send(type: 0, flags: 1, stream: $1, []) },
        Case("content beyond the length", "HTTP/1.1 200 ") { connection, stream in
            try connection.socket.send(
                HTTP2Frame.head(stream: stream, ends: false, [(":status", "200"), ("content-length", "2")]))
            try connection.send(type: 0, flags: 1, stream: stream, Array("abcdef".utf8))
        },
        Case("less content than the length", "HTTP/1.1 200 ") { connection, stream in
            try connection.socket.send(
                HTTP2Frame.head(stream: stream, ends: false, [(":status", "200"), ("content-length", "9")]))
            try connection.send(type: 0, flags: 1, stream: stream, Array("abc".utf8))
        },
        Case("trailers of the wrong form", "HTTP/1.1 200 ") { connection, stream in
            try connection.socket.send(
                HTTP2Frame.head(stream: stream, ends: false, [(":status", "200")])
                    + HTTP2Frame.head(stream: stream, [(":status", "200")]))
        },
        Case("trailers with CRLF", "HTTP/1.1 200 ") { connection, stream in
            try connection.socket.send(
                HTTP2Frame.head(stream: stream, ends: false, [(":status", "200")])
                    + HTTP2Frame.head(stream: stream, [("x", "a\r\nb: c")]))
        },
    ]

    private static let frames: [Case] = [
        Case("a server of HTTP/1.1", goesOn: false) { connection, _ in
            try connection.socket.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        },
        Case("a response to a stream that does not exist", goesOn: false) { connection, stream in
            try connection.socket.send(HTTP2Frame.head(stream: stream + 6, [(":status", "200")]))
        },
        Case("a push", goesOn: false) { connection, stream in
            let promised: [UInt8] = [0, 0, 0, 2]
            try connection.send(
                type: 5, flags: 4, stream: stream, promised + HTTP2Frame.block(HTTP2Frame.request))
        },
        Case("a flood of pings", goesOn: false) { connection, _ in
            let ping = HTTP2Frame.frame(type: 6, Array(repeating: 0, count: 8))
            try connection.socket.send(Array((0..<2000).map { _ in ping }.joined()))
        },
        Case("a flood of interim responses") { connection, stream in
            for _ in 0..<10 {
                try connection.socket.send(HTTP2Frame.head(stream: stream, ends: false, [(":status", "103")]))
            }
        },
        Case("a window beyond its bounds", goesOn: false) { connection, _ in
            try connection.send(type: 8, [0x7f, 0xff, 0xff, 0xff])
            try connection.send(type: 8, [0x7f, 0xff, 0xff, 0xff])
        },
        Case("a field that refers to nothing", goesOn: false) { connection, stream in
            try connection.send(type: 1, flags: 5, stream: stream, [0xFF, 0xFF, 0x03])
        },
    ]

    @Test("end what they break, and the next request is served", arguments: cases)
    func broken(_ one: Case) async throws {
        let backend = try HTTP2Frames { connection, number in
            let first = try connection.receiveHead()
            guard number == 1 else {
                try connection.answer(first, "well")
                return try connection.answerAll("well")
            }
            try one.answer(connection, first)
            try connection.answerAll("well")
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            let response = try proxy.exchange(Self.post)
            #expect(response.contains(one.expected), "\(response)")
            #expect(!response.contains("set-cookie") && !response.hasSuffix("0\r\n\r\n"), "\(response)")
            try #expect(proxy.exchange(Self.post).hasSuffix("well\r\n0\r\n\r\n"))
            #expect(backend.connectionCount == (one.goesOn ? 1 : 2))
            try await #expect(eventually { try await proxy.counters().backendConnections == 1 })
        }
    }

    @Test("that allow no streams are served by as many connections as they need, and none stays")
    func noStreams() async throws {
        // SETTINGS_MAX_CONCURRENT_STREAMS: 0.
        let backend = try HTTP2Frames(settings: [0, 3, 0, 0, 0, 0]) { connection, _ in
            try connection.answer(connection.receiveHead(), "well")
            connection.waitForEnd()
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            for _ in 0..<3 { try #expect(proxy.exchange(Self.get).hasSuffix("well\r\n0\r\n\r\n")) }
            #expect(backend.connectionCount == 3)
            try await #expect(eventually { try await proxy.counters().backendConnections == 0 })
        }
    }

    @Test("that send every request away are asked four times")
    func away() async throws {
        let backend = try HTTP2Frames { connection, _ in
            _ = try connection.receiveHead()
            try connection.send(type: 7, [0, 0, 0, 0, 0, 0, 0, 0])
            connection.waitForEnd()
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            try #expect(proxy.exchange(Self.post).hasPrefix("HTTP/1.1 502 "))
            #expect(backend.connectionCount == 4)
            try await #expect(eventually { try await proxy.counters().backendConnections == 0 })
        }
    }

    @Test("that refuse after an interim response have the request no second time")
    func refusalAfterInterim() async throws {
        let backend = try HTTP2Frames { connection, _ in
            let stream = try connection.receiveHead()
            try connection.socket.send(HTTP2Frame.head(stream: stream, ends: false, [(":status", "103")]))
            try connection.send(type: 3, stream: stream, [0, 0, 0, 7])
            try connection.answerAll("again")
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            try #expect(proxy.exchange(Self.get).contains("HTTP/1.1 502 "))
        }
    }

    @Test("that say GOAWAY while nothing is open lose their connection, and get another")
    func idleGoAway() async throws {
        let backend = try HTTP2Frames { connection, _ in
            try connection.answer(connection.receiveHead(), "well")
            try connection.send(type: 7, [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])
            connection.waitForEnd()
        }
        try await withProxy(to: [backend.port], ProxyHarness.Options.toHTTP2()) { proxy in
            for _ in 0..<3 {
                try #expect(proxy.exchange(Self.post).hasSuffix("well\r\n0\r\n\r\n"))
                try await #expect(eventually { try await proxy.counters().backendConnections == 0 })
            }
            #expect(backend.connectionCount == 3)
        }
    }
}
