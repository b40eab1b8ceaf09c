import Crypto
import Foundation
import LimpetTestKit

/// Content that says when a piece of it is lost, doubled or at another place: its period is no multiple of any frame.
struct PatternedContent: Sendable {
    let count: Int

    private static let period: [UInt8] = (0..<(1 << 20) + 7).map { index in
        UInt8(truncatingIfNeeded: index &* 0x9E37_79B1 >> 13)
    }

    /// Calls `body` with one piece after the other.
    func forEachPiece(_ body: ([UInt8]) throws -> Void) rethrows {
        var left = count
        while left >= Self.period.count {
            try body(Self.period)
            left -= Self.period.count
        }
        if left > 0 { try body(Array(Self.period[..<left])) }
    }

    /// In hexadecimal digits.
    var digest: String {
        var hash = SHA256()
        forEachPiece { hash.update(data: $0) }
        return Digest.hexadecimal(hash.finalize())
    }

    func write(to path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
        else { throw Unexpected(description: "\(path) cannot be written") }
        defer { try? file.close() }
        try forEachPiece { try file.write(contentsOf: $0) }
    }

    /// Reads so much content from a socket, and returns its digest.
    static func digest(of count: Int, from socket: TCPSocket) throws -> String {
        var hash = SHA256()
        var left = count
        while left > 0 {
            let piece = try socket.receive(upTo: min(left, 1 << 18))
            guard !piece.isEmpty else { throw Unexpected(description: "\(left) bytes are missing") }
            hash.update(data: piece)
            left -= piece.count
        }
        return Digest.hexadecimal(hash.finalize())
    }
}
