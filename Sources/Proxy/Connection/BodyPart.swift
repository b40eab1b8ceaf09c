import HTTPWire
import NIOCore

/// What one read brought of a message's body: content without framing, and perhaps its end.
struct BodyPart {
    enum End: Equatable {
        /// The body is whole. Its trailers are lines of fields, each with its CRLF; empty where there are none.
        case complete(trailers: [UInt8])
        /// What follows breaks the framing; the content before it is sound.
        case refused(BodyRefusal)
    }

    /// May be empty.
    var content: ByteBuffer
    /// Nil while more is to come.
    var end: End?

    /// Takes out the trailers whose name (in lower case) `isDropped`.
    mutating func dropTrailers(where isDropped: ([UInt8]) -> Bool) {
        guard case .complete(let trailers) = end, !trailers.isEmpty else { return }
        let lines = trailers.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true)
        let kept = lines.filter { line in
            !isDropped(line.prefix { $0 != UInt8(ascii: ":") }.map(FieldEdit.lowered))
        }
        end = .complete(trailers: kept.flatMap { $0 + [UInt8(ascii: "\n")] })
    }
}
