import HTTPWire
import NIOCore

/// Extracts a message's body from the bytes of an HTTP/1.1 connection: it consumes chunk lines and returns content and
/// trailers.
struct BodyReader {
    private var scanner: BodyScanner
    private let isChunked: Bool

    init(_ framing: BodyFraming, from sender: BodyScanner.Sender, limits: MessageLimits) {
        scanner = BodyScanner(framing, from: sender, limits: limits)
        isChunked = framing.isChunked
    }

    var isComplete: Bool { scanner.isComplete }

    /// Consumes the bytes that belong to the body and are complete. Offer what remains in `bytes` again with more bytes
    /// appended; after the end of the body it belongs to another message.
    ///
    /// - Parameter fields: filled with the trailers if the body ends with some.
    mutating func read(_ bytes: inout ByteBuffer, _ fields: FieldTable) -> BodyPart {
        isChunked ? readChunks(&bytes, fields) : readPlain(&bytes)
    }

    private mutating func readPlain(_ bytes: inout ByteBuffer) -> BodyPart {
        let step = bytes.withUnsafeReadableBytes { scanner.scan($0, content: { _ in }) }
        let content = bytes.readSlice(length: step.accepted) ?? ByteBuffer()
        return BodyPart(content: content, end: Self.end(step.outcome, trailers: []))
    }

    private mutating func readChunks(_ bytes: inout ByteBuffer, _ fields: FieldTable) -> BodyPart {
        var runs = ContiguousContent(of: bytes)
        var trailers: [UInt8] = []
        let step = bytes.withUnsafeReadableBytes { source in
            let step = scanner.scan(source, content: { runs.add($0) })
            if !step.trailers.isEmpty { trailers = Self.lines(step.trailers, of: source, fields) }
            return step
        }
        bytes.moveReaderIndex(forwardBy: step.accepted)
        return BodyPart(content: runs.buffer ?? ByteBuffer(), end: Self.end(step.outcome, trailers: trailers))
    }

    /// The field lines of a trailer section that may be forwarded.
    private static func lines(
        _ section: Range<Int>, of source: UnsafeRawBufferPointer, _ fields: FieldTable
    ) -> [UInt8] {
        fields.readTrailers(section, in: source)
        return keptLines(of: source, fields)
    }

    /// The end of a body with this trailer section, which came without chunks.
    static func end(trailers section: UnsafeRawBufferPointer, _ fields: FieldTable, _ limits: MessageLimits)
        -> BodyPart.End
    {
        guard !section.isEmpty else { return .complete(trailers: []) }
        if let refusal = fields.scanTrailers(section, limits: limits) { return .refused(refusal) }
        return .complete(trailers: keptLines(of: section, fields))
    }

    private static func keptLines(of source: UnsafeRawBufferPointer, _ fields: FieldTable) -> [UInt8] {
        var lines: [UInt8] = []
        fields.forEachKeptRun { lines += source[$0] }
        return lines
    }

    private static func end(_ outcome: BodyScanner.Outcome, trailers: [UInt8]) -> BodyPart.End? {
        switch outcome {
        case .more: nil
        case .complete: .complete(trailers: trailers)
        case .refused(let refusal): .refused(refusal)
        }
    }
}
