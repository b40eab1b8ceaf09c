import HTTPWire
import NIOCore

/// Takes a message's body off the bytes of an HTTP/1.1 connection: chunk lines stay behind, content and trailers go on.
struct BodyReader {
    private var scanner: BodyScanner
    private let isChunked: Bool

    init(_ framing: BodyFraming, limits: MessageLimits) {
        scanner = BodyScanner(framing, limits: limits)
        isChunked = framing == .chunked
    }

    var isComplete: Bool { scanner.isComplete }

    /// Takes what belongs to the body and is whole. What is left in `bytes` is to be offered again with more behind it;
    /// behind the end of the body it is another message's.
    mutating func read(_ bytes: inout ByteBuffer) -> BodyPart {
        isChunked ? readChunks(&bytes) : readPlain(&bytes)
    }

    private mutating func readPlain(_ bytes: inout ByteBuffer) -> BodyPart {
        let step = bytes.withUnsafeReadableBytes { scanner.scan($0) }
        let content = bytes.readSlice(length: step.accepted) ?? ByteBuffer()
        return BodyPart(content: content, end: end(step.outcome))
    }

    /// Content that lies in one piece is passed on as the slice that it is, else it is gathered.
    private mutating func readChunks(_ bytes: inout ByteBuffer) -> BodyPart {
        var first: Range<Int>?
        var gathered = ByteBuffer()
        let step = bytes.withUnsafeReadableBytes { source in
            scanner.scan(source) { range in
                if let only = first, gathered.readableBytes == 0 {
                    gathered.reserveCapacity(source.count)
                    gathered.writeBytes(UnsafeRawBufferPointer(rebasing: source[only]))
                }
                if first == nil {
                    first = range
                } else {
                    gathered.writeBytes(UnsafeRawBufferPointer(rebasing: source[range]))
                }
            }
        }
        if let first, gathered.readableBytes == 0 {
            gathered = bytes.getSlice(at: bytes.readerIndex + first.lowerBound, length: first.count) ?? gathered
        }
        bytes.moveReaderIndex(forwardBy: step.accepted)
        return BodyPart(content: gathered, end: end(step.outcome))
    }

    private func end(_ outcome: BodyScanner.Outcome) -> BodyPart.End? {
        switch outcome {
        case .more: nil
        case .complete: .complete(trailers: [])
        case .refused(let refusal): .refused(refusal)
        }
    }
}
