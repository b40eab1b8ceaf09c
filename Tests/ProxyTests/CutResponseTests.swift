import Foundation
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

@Suite("Responses that are cut")
struct CutResponseTests {
    /// How a backend ends its connection in the middle of a response.
    enum End: CaseIterable {
        case closes, resets, isSilent
    }

    /// A backend that sends this and ends its connection so.
    private static func backend(_ response: String, _ end: End, _ gate: ScriptedBackend.Flag) throws -> ScriptedBackend
    {
        try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send(response)
            _ = gate.isSet(within: 5)
            switch end {
            case .closes: break
            case .resets: connection.reset()
            case .isSilent: _ = try connection.receive()
            }
        }
    }

    /// What the client received, and whether its connection ended in good order.
    private static func received(_ client: TCPSocket) -> (text: String, isWhole: Bool) {
        var bytes: [UInt8] = []
        while true {
            guard let piece = try? client.receive() else { return (String(decoding: bytes, as: UTF8.self), false) }
            if piece.isEmpty { return (String(decoding: bytes, as: UTF8.self), true) }
            bytes += piece
        }
    }

    private static func respond(
        _ response: String, _ end: End, version: String
    ) async throws -> (text: String, isWhole: Bool) {
        let gate = ScriptedBackend.Flag()
        let backend = try backend(response, end, gate)
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.serviceLimits.exchange.responseGap = .milliseconds(500)
        var result = (text: "", isWhole: false)
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try proxy.connect()
            try client.send("GET / HTTP/\(version)\r\nHost: h\r\nConnection: close\r\n\r\n")
            let head = try client.receive(until: "hello")
            gate.set()
            let rest = received(client)
            result = (head + rest.text, rest.isWhole)
        }
        return result
    }

    @Test("A body without a length that is reset or falls silent is told from a whole one", arguments: End.allCases)
    func untilClose(end: End) async throws {
        let new = try await Self.respond("HTTP/1.1 200 OK\r\n\r\nhello", end, version: "1.1")
        #expect(new.text.hasSuffix("0\r\n\r\n") == (end == .closes))
        let old = try await Self.respond("HTTP/1.1 200 OK\r\n\r\nhello", end, version: "1.0")
        #expect(old.text.hasSuffix("\r\n\r\nhello") && old.isWhole == (end == .closes))
    }

    @Test("A chunked body that lacks its end lacks it for the client, too", arguments: End.allCases)
    func chunked(end: End) async throws {
        let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
        let new = try await Self.respond(response, end, version: "1.1")
        #expect(new.text.hasSuffix("5\r\nhello\r\n"))
        // There the end of the connection would pass for the body's.
        let old = try await Self.respond(response, end, version: "1.0")
        #expect(old.text.hasSuffix("\r\n\r\nhello") && !old.isWhole)
    }

    @Test("A body that is shorter than its length is cut", arguments: End.allCases)
    func length(end: End) async throws {
        let response = try await Self.respond("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", end, version: "1.1")
        #expect(response.text.hasSuffix("\r\n\r\nhello"))
    }
}
