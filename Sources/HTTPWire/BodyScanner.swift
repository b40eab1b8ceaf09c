/// Scans a body to its end and extracts its content.
///
/// Chunk lines, their extensions and the trailer section are not content: a caller that forwards the content applies
/// its own framing. `Step.trailers` locates the trailer section; `FieldTable.readTrailers` parses it.
///
/// A chunk's line, the CRLF after its data, and the trailer section are accepted only when they are complete. The
/// caller keeps the bytes that were not accepted (at most a chunk line of 18 bytes and its extensions, or a trailer
/// section within the field limits), and passes them again followed by new bytes. Bytes already scanned are not scanned
/// again, so a sender of single bytes costs no more than any other.
package struct BodyScanner: Sendable {
    /// The sender of the body, which decides how strictly its chunk lines are parsed.
    package enum Sender: Sendable {
        /// White space next to a chunk's size is refused: another proxy may have read a different size.
        case client
        /// White space between a chunk's size and the CRLF or semicolon is accepted and skipped.
        case backend
    }

    package enum Outcome: Equatable, Sendable {
        /// More bytes are needed. Always the outcome with `.untilClose`: the caller ends the body when the peer closes.
        case more
        /// The body ends with the last accepted byte. The bytes after it belong to the next message.
        case complete
        /// Final. The content already passed on is still valid.
        case refused(BodyRefusal)
    }

    package struct Step: Equatable, Sendable {
        /// The number of leading bytes that were accepted and need not be passed again.
        package var accepted = 0
        package var outcome = Outcome.more
        /// The field lines of the trailer section, without the empty line that ends it. Empty before the end of a
        /// chunked body, and if there are none.
        package var trailers = 0..<0
    }

    private enum Phase {
        case length, untilClose, chunkLine, chunkData, chunkEnd, trailers, complete, refused
    }

    private var phase: Phase
    /// Bytes at the front of the next input that were scanned but not accepted.
    private var held = 0
    /// The rest of the body or of the chunk, in the phases `length` and `chunkData`.
    private var remaining: UInt64 = 0
    /// The line being read in the phase `chunkLine`.
    private var line = ChunkLine()
    /// The section being read in the phase `trailers`.
    private var trailers = TrailerSection()
    /// The reason, in the phase `refused`.
    private var refusal: BodyRefusal?
    private let sender: Sender
    private let limits: MessageLimits

    package init(_ framing: BodyFraming, from sender: Sender, limits: MessageLimits = MessageLimits()) {
        self.sender = sender
        self.limits = limits.clamped
        switch framing {
        case .none: phase = .complete
        case .length(let length):
            remaining = length
            phase = length == 0 ? .complete : .length
        case .chunked: phase = .chunkLine
        case .untilClose: phase = .untilClose
        }
    }

    package var isComplete: Bool {
        phase == .complete
    }

    /// Scans `bytes`: the bytes not accepted so far, followed by newly received ones. Calls `content` with the ranges
    /// of the body's content, in order and never empty: one for each chunk, or part of one.
    package mutating func scan(_ bytes: UnsafeRawBufferPointer, content: (Range<Int>) -> Void) -> Step {
        var step = Step()
        while true {
            if phase == .complete {
                step.outcome = .complete
                return step
            }
            if let refusal {
                step.outcome = .refused(refusal)
                return step
            }
            guard step.accepted &+ held < bytes.count else { return step }
            do throws(BodyRefusal) {
                guard let end = try advance(bytes, from: step.accepted, &step.trailers, content) else {
                    held = bytes.count &- step.accepted
                    return step
                }
                held = 0
                step.accepted = end
            } catch {
                phase = .refused
                refusal = error
            }
        }
    }

    /// Consumes the next element (or the available part of plain data), which begins at `start`, and returns its end.
    /// Nil if it is incomplete. There are bytes after `start + held`.
    @inline(__always)
    private mutating func advance(
        _ bytes: UnsafeRawBufferPointer, from start: Int, _ fieldLines: inout Range<Int>,
        _ content: (Range<Int>) -> Void
    ) throws(BodyRefusal) -> Int? {
        let end: Int
        switch phase {
        case .length, .chunkData:
            end = takeData(bytes, from: start)
            content(start..<end)
        case .untilClose:
            end = bytes.count
            content(start..<end)
        case .chunkLine:
            guard let lineEnd = try readLine(bytes, from: start) else { return nil }
            end = lineEnd
        case .chunkEnd:
            guard let chunkEnd = try readChunkEnd(bytes, from: start) else { return nil }
            end = chunkEnd
        case .trailers:
            guard let lines = try readTrailers(bytes, from: start) else { return nil }
            fieldLines = lines
            end = lines.upperBound &+ 2
        case .complete, .refused:
            return nil
        }
        return end
    }

    /// Deducts the data that begins at `start` from the remaining length, and returns its end.
    @inline(__always)
    private mutating func takeData(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        let available = UInt64(truncatingIfNeeded: bytes.count &- start)
        let taken = min(remaining, available)
        remaining &-= taken
        if remaining == 0 { phase = phase == .length ? .complete : .chunkEnd }
        return start &+ Int(truncatingIfNeeded: taken)
    }

    @inline(__always)
    private mutating func readLine(
        _ bytes: UnsafeRawBufferPointer, from start: Int
    ) throws(BodyRefusal) -> Int? {
        var index = start &+ held
        while index < bytes.count {
            let isWhole = try line.take(bytes[index], longestExtension: limits.chunkExtension, from: sender)
            index &+= 1
            if isWhole {
                remaining = line.size
                phase = remaining > 0 ? .chunkData : .trailers
                line = ChunkLine()
                return index
            }
        }
        return nil
    }

    @inline(__always)
    private mutating func readChunkEnd(
        _ bytes: UnsafeRawBufferPointer, from start: Int
    ) throws(BodyRefusal) -> Int? {
        guard bytes[start] == .carriageReturn else { throw .malformedChunkEnd }
        guard start &+ 1 < bytes.count else { return nil }
        guard bytes[start &+ 1] == .lineFeed else { throw .malformedChunkEnd }
        phase = .chunkLine
        return start &+ 2
    }

    /// The range of the section's field lines, without the empty line that follows them.
    private mutating func readTrailers(
        _ bytes: UnsafeRawBufferPointer, from start: Int
    ) throws(BodyRefusal) -> Range<Int>? {
        guard let base = bytes.baseAddress else { return nil }
        guard let length = try trailers.scan(base + start, count: bytes.count &- start, limits: limits) else {
            return nil
        }
        phase = .complete
        return start..<(start &+ length &- 2)
    }
}
