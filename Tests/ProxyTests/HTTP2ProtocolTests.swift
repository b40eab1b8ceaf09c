import Foundation
import LimpetTestKit
import Testing

@testable import Proxy

@Suite("The rules of HTTP/2")
struct HTTP2ProtocolTests {
    /// It answers at once, but leaves `/late` without an answer.
    private static func backend() throws -> ScriptedBackend {
        try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                if head.contains(" /late ") { while try !connection.receive().isEmpty {} }
                if head.contains("transfer-encoding: chunked") { _ = try connection.receive(until: "\r\n\r\n") }
                let body = "hello"
                try connection.send(
                    "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
                        + (head.hasPrefix("HEAD ") ? "" : body))
            }
        }
    }

    @Test("hold for clients, section by section", arguments: HTTP2ProtocolCase.all)
    func client(_ one: HTTP2ProtocolCase) async throws {
        let backend = try Self.backend()
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            let seen = try HTTP2ProtocolRun(one, client).seen()
            let isRight = HTTP2ProtocolRun.isRight(seen, one.outcome)
            #expect(isRight, "\(one): \(seen)")
            client.close()
            try await #expect(eventually { try await proxy.counters().requestsInFlight == 0 })
            #expect(try await proxy.counters().impossible == 0)
            ConformanceLine.write(one.section, one.verdict(isRight), one.what)
        }
    }

    @Test("begin with SETTINGS of the server")
    func settings() async throws {
        try await withProxy(to: [closedPort()]) { proxy in
            let client = try proxy.connect()
            try client.send(HTTP2Frame.preface)
            let first = try HTTP2Frame(from: client)
            #expect(first.type == 4 && first.flags == 0 && first.stream == 0)
            ConformanceLine.write("3.4", first.type == 4 ? .passed : .failed, "the server's preface")
        }
    }
}

extension HTTP2ProtocolCase {
    fileprivate func verdict(_ isRight: Bool) -> ConformanceLine.Verdict {
        guard isRight else { return .failed }
        if case .ignored = outcome { return .ignored }
        return .passed
    }
}
