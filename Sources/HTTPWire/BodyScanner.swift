/// Follows a body to its end and hands out its content.
///
/// Chunk lines, their extensions and the trailer section are no content: whoever sends the content on frames it in its
/// own way. The trailer section is named by `Step.trailers`; `FieldTable.readTrailers` reads it.
///
/// A chunk's line, the CRLF after its data, and the trailer section are accepted only when they are whole: the caller
/// keeps what was not accepted (at most a chunk line of 18 bytes and its extensions, or a trailer section within the
/// field limits), and offers it again with more behind it. What was looked at already is not looked at again, so a
/// sender of single bytes costs no more than another.
package struct BodyScanner: Sendable {
    /// Who sends the body: how strictly its chunk lines are read.
    package enum Sender: Sendable {
        /// White space beside a chunk's size is refused: another proxy may have read another size.
        case client
        /// White space between a chunk's size and the CRLF or semicolon is accepted, and left out.
        case backend
    }

    package enum Outcome: Equatable, Sendable {
        /// More bytes are needed. With `.untilClose` always: the caller ends the body when the peer closes.
        case more
        /// The body ends with the last accepted byte; what follows belongs to the next message.
        case complete
        /// Final. What was handed out is still sound.
        case refused(BodyRefusal)
    }

    package struct Step: Equatable, Sendable {
        /// The number of leading bytes that are checked and need not be offered again.
        package var accepted = 0
        package var outcome = Outcome.more
        /// Where the field lines of the trailer section are, without the empty line that ends it. Empty before the end
        /// of a chunked body, and where there are none.
        package var trailers = 0..<0
    }

    private enum Phase {
        case length, untilClose, chunkLine, chunkData, chunkEnd, trailers, complete, refused
    }

    private var phase: Phase
    /// Bytes at the front of the next input that were looked at and not accepted.
    private var held = 0
    /// What is left of the body or of the chunk, in the phases `length` and `chunkData`.
    private var remaining: UInt64 = 0
    /// The line being read in the phase `chunkLine`.
    private var line = ChunkLine()
    /// The section being read in the phase `trailers`.
    private var trailers = TrailerSection()
    /// Why, in the phase `refused`.
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

    /// Looks at `bytes`: those not accepted so far, and what came after them. Calls `content` with the ranges that are
    /// the body's content, in order, none empty: one for each chunk, or part of one.
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

    /// Takes the next element (or what there is of plain data), which begins at `start`, and returns its end; nil if
    /// it is not whole. There are bytes after `start + held`.
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

    /// Counts the data that begins at `start` against what remains, and returns its end.
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

    /// The section's field lines, which an empty line follows.
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
