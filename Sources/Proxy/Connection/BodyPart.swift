import HTTPWire
import NIOCore

/// The part of a message's body that one read delivered: content without framing, and the end of the body if reached.
struct BodyPart {
    enum End: Equatable {
        /// The body is complete. The trailers are field lines, each with its CRLF; empty if the body has none.
        case complete(trailers: [UInt8])
        /// The bytes that follow break the framing; the content before them is valid.
        case refused(BodyRefusal)
    }

    /// May be empty.
    var content: ByteBuffer
    /// Nil while more is to come.
    var end: End?

    /// Removes the trailers for whose name (in lower case) `isDropped` returns true.
    mutating func dropTrailers(where isDropped: ([UInt8]) -> Bool) {
        guard case .complete(let trailers) = end, !trailers.isEmpty else { return }
        let lines = trailers.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true)
        let kept = lines.filter { line in
            !isDropped(line.prefix { $0 != UInt8(ascii: ":") }.map(FieldEdit.lowered))
        }
        end = .complete(trailers: kept.flatMap { $0 + [UInt8(ascii: "\n")] })
    }
}
