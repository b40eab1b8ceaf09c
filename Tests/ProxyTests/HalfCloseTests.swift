import Foundation
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

@Suite("Clients that end their side of the connection")
struct HalfCloseTests {
    private static func request(_ path: String, _ fields: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\n\(fields)\r\n"
    }

    /// A backend that answers each request with its path, after so many microseconds.
    private static func backend(after delay: useconds_t) throws -> ScriptedBackend {
        try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                if delay > 0 { usleep(delay) }
                try connection.send(ok(head.components(separatedBy: " ")[1]))
            }
        }
    }

    @Test(
        "A client that ends its side after its request is answered, and the connection closes",
        arguments: [0, 200_000] as [useconds_t], ["", "Connection: close\r\n"])
    func answered(delay: useconds_t, fields: String) async throws {
        let backend = try Self.backend(after: delay)
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send(Self.request("/a", fields))
            client.closeOutput()
            let response = String(decoding: try client.receiveAll(), as: UTF8.self)
            #expect(response.hasPrefix("HTTP/1.1 200 OK\r\n") && response.hasSuffix("\r\n\r\n/a"))
            try await #expect(eventually { try await proxy.onLoop { $0.openClients } == 0 })
        }
    }

    @Test("All requests that came whole before the end are answered; one in part is not waited for")
    func pipelined() async throws {
        let backend = try Self.backend(after: 50_000)
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            for rest in ["", "GET /c HTTP/1.1\r\nHo"] {
                let client = try proxy.connect()
                try client.send(Self.request("/a") + Self.request("/b") + rest)
                client.closeOutput()
                let response = String(decoding: try client.receiveAll(), as: UTF8.self)
                let bodies = response.components(separatedBy: "\r\n\r\n").dropFirst().map { $0.prefix(2) }
                #expect(bodies == ["/a", "/b"])
            }
        }
    }

    @Test("A body that is whole is answered, one that is cut short reaches the backend cut short")
    func bodies() async throws {
        let backend = try ScriptedBackend { connection, _ in
            // A connection that it ended here would be taken from the pool for the next request.
            while true {
                _ = try connection.receive(until: "body")
                try connection.send(ok("taken"))
            }
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let head = "POST / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\nContent-Length: 4\r\n\r\n"
            let whole = try proxy.connect()
            try whole.send(head + "body")
            whole.closeOutput()
            #expect(String(decoding: try whole.receiveAll(), as: UTF8.self).hasSuffix("\r\n\r\ntaken"))
            let cut = try proxy.connect()
            try cut.send(head + "bo")
            cut.closeOutput()
            #expect(try cut.receiveAll().isEmpty)
            try await #expect(eventually { try await proxy.counters().requestsInFlight == 0 })
        }
    }

    @Test("A large response is taken whole by a client that has ended its side, however slowly it reads")
    func large() async throws {
        let text = String(repeating: "0123456789abcdef", count: 256 * 1024)
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send(ok(text))
            _ = try connection.receive()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send(Self.request("/"))
            client.closeOutput()
            var received: [UInt8] = []
            while true {
                let piece = try client.receive(upTo: 64 * 1024)
                if piece.isEmpty { break }
                received += piece
                if received.count < 1 << 20 { usleep(5_000) }
            }
            #expect(received.suffix(text.utf8.count).elementsEqual(text.utf8))
        }
    }

    @Test("A reset after that ends the exchange at the latest when the response is written")
    func reset() async throws {
        let wasReset = ScriptedBackend.Flag()
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            _ = wasReset.isSet(within: 10)
            try connection.send(ok("late"))
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send(Self.request("/a"))
            client.closeOutput()
            try await #require(eventually { try await proxy.counters().requestsInFlight == 1 })
            client.reset()
            wasReset.set()
            try await #expect(eventually { try await proxy.onLoop { $0.openClients } == 0 })
            try await #expect(proxy.counters().impossible == 0)
        }
    }

    @Test("A connection that ends its side without a request closes at once")
    func idle() async throws {
        let backend = try Self.backend(after: 0)
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            for text in ["", "GET /"] {
                let client = try proxy.connect()
                try client.send(text)
                client.closeOutput()
                #expect(try client.receiveAll().isEmpty)
            }
            try await #expect(eventually { try await proxy.onLoop { $0.openClients } == 0 })
        }
    }
}
