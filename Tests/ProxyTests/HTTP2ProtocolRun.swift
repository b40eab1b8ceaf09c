import Foundation
import LimpetTestKit

/// One case of the protocol as a client plays it.
struct HTTP2ProtocolRun {
    /// What the client reads until its ping is answered, stream 1 has what the case is about or is reset, or the
    /// connection ends.
    enum Seen: Equatable {
        case answer
        case response
        case content(Int)
        case reset(UInt32)
        /// With the error of its GOAWAY, if there was one.
        case end(UInt32?)
    }

    private static let alive = [UInt8](repeating: 0x42, count: 8)
    private static let ping = HTTP2Frame.frame(type: 6, alive)
    private let client: TCPSocket
    private let one: HTTP2ProtocolCase

    /// - Parameter client: a new connection.
    init(_ one: HTTP2ProtocolCase, _ client: TCPSocket) {
        self.one = one
        self.client = client
    }

    /// Sends all frames, and returns what comes of them.
    func seen() throws -> Seen {
        try client.send((one.hasPreface ? HTTP2Frame.preface : []) + one.frames)
        if let event = one.event {
            try wait(for: event)
            try? client.send(one.later)
        }
        switch one.outcome {
        case .served, .content, .closed: break
        case .connectionError, .streamError, .fine, .fineOrOver, .ignored:
            // An answer to a ping overtakes a reset of the same turn of the loop, but not one of the turn before.
            try? client.send(Self.ping)
        }
        return one.hasPreface ? read() : readToEnd()
    }

    private func wait(for event: HTTP2ProtocolCase.Event) throws {
        var acknowledgements = 0
        while true {
            let frame = try HTTP2Frame(from: client)
            let ends = frame.stream == 1 && frame.type < 2 && frame.flags & 1 == 1
            acknowledgements += frame.type == 4 && frame.flags & 1 == 1 ? 1 : 0
            switch event {
            case .end where ends: return
            case .content where frame.type == 0: return
            case .acknowledgement where acknowledgements == 2: return
            default: break
            }
        }
    }

    private func read() -> Seen {
        var error: UInt32?
        var answers = 0
        while let frame = try? HTTP2Frame(from: client) {
            let code = frame.payload.suffix(4).reduce(0) { $0 << 8 | UInt32($1) }
            switch (frame.type, one.outcome) {
            case (0, .content): return .content(frame.payload.count)
            case (1, .served) where frame.stream == 1: return .response
            case (3, _) where frame.payload.count == 4 && code != 0: return .reset(code)
            case (6, _) where frame.flags & 1 == 1 && frame.payload == Self.alive:
                answers += 1
                if answers == 2 { return .answer }
                try? client.send(Self.ping)
            case (7, _) where frame.payload.count >= 8:
                error = frame.payload[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
            default: break
            }
        }
        return .end(error)
    }

    private func readToEnd() -> Seen {
        while let bytes = try? client.receive() {
            if bytes.isEmpty { return .end(nil) }
        }
        return .answer
    }

    static func isRight(_ seen: Seen, _ outcome: HTTP2ProtocolCase.Outcome) -> Bool {
        switch (outcome, seen) {
        case (.fine, .answer), (.ignored, .answer), (.served, .response), (.closed, .end(nil)): true
        case (.fineOrOver, .answer), (.fineOrOver, .end(0)), (.fineOrOver, .end(nil)): true
        case (.content(let length), .content(let seen)): length == seen
        case (.connectionError(let errors), .end(let error?)): errors.contains(error)
        case (.streamError(let errors), .reset(let error)): errors.contains(error)
        case (.streamError(let errors), .end(let error?)): errors.contains(error)
        default: false
        }
    }
}
