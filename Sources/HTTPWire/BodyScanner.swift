/// Follows a body to its end and vouches for its bytes, so that they can be passed on verbatim.
///
/// A chunk's line, the CRLF after its data, and the trailer section are accepted only when they are whole: the caller
/// keeps what was not accepted (at most a chunk line of 18 bytes and its extensions, or a trailer section within the
/// field limits), and offers it again with more behind it. What was looked at already is not looked at again, so a
/// sender of single bytes costs no more than another.
package struct BodyScanner: Sendable {
    package enum Outcome: Equatable, Sendable {
        /// More bytes are needed. With `.untilClose` always: the caller ends the body when the peer closes.
        case more
        /// The body ends with the last accepted byte; what follows belongs to the next message.
        case complete
        /// Final. The accepted bytes are still sound.
        case refused(BodyRefusal)
    }

    package struct Step: Equatable, Sendable {
        /// The number of leading bytes that are checked and may be passed on.
        package var accepted: Int
        package var outcome: Outcome
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
    private let limits: MessageLimits

    package init(_ framing: BodyFraming, limits: MessageLimits = MessageLimits()) {
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

    /// Looks at `bytes`: those not accepted so far, and what came after them.
    package mutating func scan(_ bytes: UnsafeRawBufferPointer) -> Step {
        advance(bytes) { _ in }
    }

    /// The same, reporting the ranges within the accepted bytes that are the body's content, without chunk framing and
    /// trailers, in order: for a peer that knows no chunks.
    package mutating func scan(_ bytes: UnsafeRawBufferPointer, data: (Range<Int>) -> Void) -> Step {
        advance(bytes, data: data)
    }

    @inline(__always)
    private mutating func advance(_ bytes: UnsafeRawBufferPointer, data: (Range<Int>) -> Void) -> Step {
        var accepted = 0
        while true {
            if phase == .complete { return Step(accepted: accepted, outcome: .complete) }
            if let refusal { return Step(accepted: accepted, outcome: .refused(refusal)) }
            guard accepted &+ held < bytes.count else { return Step(accepted: accepted, outcome: .more) }
            do throws(BodyRefusal) {
                guard let end = try advanceOnce(bytes, from: accepted, data: data) else {
                    held = bytes.count &- accepted
                    return Step(accepted: accepted, outcome: .more)
                }
                held = 0
                accepted = end
            } catch {
                phase = .refused
                refusal = error
            }
        }
    }

    /// Takes the next element (or what there is of plain data), which begins at `start`, and returns its end; nil if
    /// it is not whole. There are bytes after `start + held`.
    @inline(__always)
    private mutating func advanceOnce(
        _ bytes: UnsafeRawBufferPointer, from start: Int, data: (Range<Int>) -> Void
    ) throws(BodyRefusal) -> Int? {
        switch phase {
        case .length, .chunkData:
            let end = takeData(bytes, from: start)
            data(start..<end)
            return end
        case .untilClose:
            data(start..<bytes.count)
            return bytes.count
        case .chunkLine:
            return try readLine(bytes, from: start)
        case .chunkEnd:
            return try readChunkEnd(bytes, from: start)
        case .trailers:
            return try readTrailers(bytes, from: start)
        case .complete, .refused:
            return nil
        }
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
    private mutating func readLine(_ bytes: UnsafeRawBufferPointer, from start: Int) throws(BodyRefusal) -> Int? {
        var index = start &+ held
        while index < bytes.count {
            let isWhole = try line.take(bytes[index], longestExtension: limits.chunkExtension)
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

    private mutating func readTrailers(
        _ bytes: UnsafeRawBufferPointer, from start: Int
    ) throws(BodyRefusal) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        guard let length = try trailers.scan(base + start, count: bytes.count &- start, limits: limits) else {
            return nil
        }
        phase = .complete
        return start &+ length
    }
}
