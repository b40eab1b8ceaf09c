import Foundation
import LimpetTestKit
import Testing

@testable import Proxy

@Suite("The rules of HTTP/2")
struct HTTP2ProtocolTests {
    /// What a client reads until its ping is answered, its stream is reset, or the connection ends.
    private enum Seen: Equatable {
        case answer
        case reset(UInt32)
        case end(UInt32?)
    }

    private static let alive = [UInt8](repeating: 0x42, count: 8)

    private static func seen(_ client: TCPSocket) -> Seen {
        var error: UInt32?
        while let frame = try? HTTP2Frame(from: client) {
            let code = frame.payload.suffix(4).reduce(0) { $0 << 8 | UInt32($1) }
            switch frame.type {
            case 3 where frame.payload.count == 4 && code != 0: return .reset(code)
            case 6 where frame.flags & 1 == 1 && frame.payload == alive: return .answer
            case 7 where frame.payload.count >= 8:
                error = frame.payload[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
            default: break
            }
        }
        return .end(error)
    }

    private static func isRight(_ seen: Seen, _ outcome: HTTP2ProtocolCase.Outcome) -> Bool {
        switch (outcome, seen) {
        case (.fine, .answer), (.ignored, .answer): true
        case (.connectionError(let errors), .end(let error?)): errors.contains(error)
        case (.streamError(let errors), .reset(let error)): errors.contains(error)
        case (.streamError(let errors), .end(let error?)): errors.contains(error)
        default: false
        }
    }

    @Test("hold for clients, section by section", arguments: HTTP2ProtocolCase.all)
    func client(_ one: HTTP2ProtocolCase) async throws {
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            while try !connection.receive().isEmpty {}
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            let ping = HTTP2Frame.frame(type: 6, Self.alive)
            try client.send(HTTP2Frame.preface + one.frames)
            // An answer to a ping overtakes a reset that is to be sent in the same turn.
            usleep(20_000)
            try? client.send(ping)
            let seen = Self.seen(client)
            #expect(Self.isRight(seen, one.outcome), "\(seen)")
            client.close()
            try await #expect(eventually { try await proxy.counters().requestsInFlight == 0 })
            #expect(try await proxy.counters().impossible == 0)
        }
    }
}
