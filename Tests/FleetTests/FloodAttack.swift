import LimpetTestKit
import Synchronization

/// Four connections that flood a port at the same time. Each begins again when it has ended.
final class FloodAttack: Sendable {
    static let connectionCount = 4

    private let kind: FloodFrames
    private let bytes: [UInt8]
    private let port: Int
    private let isOver = Mutex(false)
    private let state = Mutex(State())

    private struct State {
        var running = 0
        var ended = 0
        var mistakes: [String] = []
    }

    /// Begins.
    init(_ kind: FloodFrames, port: Int) {
        self.kind = kind
        bytes = kind.bytes
        self.port = port
        state.withLock { $0.running = Self.connectionCount }
        for _ in 0..<Self.connectionCount { Threads.detach { self.run() } }
    }

    /// Returns when all connections have ended: how many there were. Blocks.
    ///
    /// - Throws: if one was ended otherwise than with the error of its kind.
    func stop() throws -> Int {
        isOver.withLock { $0 = true }
        guard Waiting.until(within: 20, { state.withLock { $0.running == 0 } }) else {
            throw Unexpected(description: "an attacking connection does not end")
        }
        let (ended, mistakes) = state.withLock { ($0.ended, $0.mistakes) }
        guard mistakes.isEmpty else {
            throw Unexpected(description: "\(kind), \(mistakes.count) of \(ended): \(mistakes[0])")
        }
        return ended
    }

    private func run() {
        repeat {
            let mistake: String?
            do {
                let error = try attack()
                mistake = error == kind.error ? nil : "ended with \(error.map { "\($0)" } ?? "nothing")"
            } catch {
                mistake = "\(error)"
            }
            state.withLock { state in
                state.ended += 1
                if let mistake { state.mistakes.append(mistake) }
            }
        } while !isOver.withLock { $0 }
        state.withLock { $0.running -= 1 }
    }

    /// Sends everything, unless the connection is closed before, and reads to the end. Returns the error of the GOAWAY.
    private func attack() throws -> UInt32? {
        let socket = try TCPSocket(port: port)
        do {
            try socket.send(bytes)
        } catch let error as TCPSocket.Failure where !error.isTimeout {
            // Closed: what it said before can still be read.
        }
        var answer: [UInt8] = []
        do {
            while case let bytes = try socket.receive(), !bytes.isEmpty { answer += bytes }
        } catch let error as TCPSocket.Failure where !error.isTimeout {
            // As above.
        }
        return Self.lastError(answer)
    }

    private static func lastError(_ answer: [UInt8]) -> UInt32? {
        var (start, error): (Int, UInt32?) = (0, nil)
        while start + 9 <= answer.count {
            let length = answer[start..<start + 3].reduce(0) { $0 << 8 | Int($1) }
            if answer[start + 3] == 7, start + 17 <= answer.count {
                error = answer[start + 13..<start + 17].reduce(0) { $0 << 8 | UInt32($1) }
            }
            start += 9 + length
        }
        return error
    }
}
