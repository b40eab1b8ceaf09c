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

    private enum State {
        case length(remaining: UInt64)
        case untilClose
        case chunkLine(ChunkLine)
        case chunkData(remaining: UInt64)
        case chunkEnd
        case trailers(TrailerSection)
        case complete
        case refused(BodyRefusal)
    }

    private var state: State
    /// Bytes at the front of the next input that were looked at and not accepted.
    private var held = 0
    private let limits: MessageLimits

    package init(_ framing: BodyFraming, limits: MessageLimits = MessageLimits()) {
        self.limits = limits.clamped
        state =
            switch framing {
            case .none, .length(0): .complete
            case .length(let length): .length(remaining: length)
            case .chunked: .chunkLine(ChunkLine(longestExtension: self.limits.chunkExtension))
            case .untilClose: .untilClose
            }
    }

    package var isComplete: Bool {
        if case .complete = state { return true }
        return false
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
            switch state {
            case .complete: return Step(accepted: accepted, outcome: .complete)
            case .refused(let refusal): return Step(accepted: accepted, outcome: .refused(refusal))
            case .length, .untilClose, .chunkLine, .chunkData, .chunkEnd, .trailers: break
            }
            guard accepted &+ held < bytes.count else { return Step(accepted: accepted, outcome: .more) }
            do throws(BodyRefusal) {
                guard let end = try advanceOnce(bytes, from: accepted, data: data) else {
                    held = bytes.count &- accepted
                    return Step(accepted: accepted, outcome: .more)
                }
                held = 0
                accepted = end
            } catch {
                state = .refused(error)
            }
        }
    }

    /// Takes the next element (or what there is of plain data), which begins at `start`, and returns its end; nil if
    /// it is not whole. There are bytes after `start + held`.
    @inline(__always)
    private mutating func advanceOnce(
        _ bytes: UnsafeRawBufferPointer, from start: Int, data: (Range<Int>) -> Void
    ) throws(BodyRefusal) -> Int? {
        switch state {
        case .length(let remaining):
            let end = start &+ Self.least(remaining, bytes.count &- start)
            let left = remaining &- UInt64(end &- start)
            state = left == 0 ? .complete : .length(remaining: left)
            data(start..<end)
            return end
        case .untilClose:
            data(start..<bytes.count)
            return bytes.count
        case .chunkData(let remaining):
            let end = start &+ Self.least(remaining, bytes.count &- start)
            let left = remaining &- UInt64(end &- start)
            state = left == 0 ? .chunkEnd : .chunkData(remaining: left)
            data(start..<end)
            return end
        case .chunkLine(let line):
            return try readLine(line, bytes, from: start)
        case .chunkEnd:
            return try readChunkEnd(bytes, from: start)
        case .trailers(let section):
            return try readTrailers(section, bytes, from: start)
        case .complete, .refused:
            return nil
        }
    }

    private mutating func readLine(
        _ begun: ChunkLine, _ bytes: UnsafeRawBufferPointer, from start: Int
    ) throws(BodyRefusal) -> Int? {
        var line = begun
        var index = start &+ held
        while index < bytes.count {
            let isWhole = try line.take(bytes[index])
            index &+= 1
            if isWhole {
                state = line.size > 0 ? .chunkData(remaining: line.size) : .trailers(TrailerSection(limits: limits))
                return index
            }
        }
        state = .chunkLine(line)
        return nil
    }

    private mutating func readChunkEnd(
        _ bytes: UnsafeRawBufferPointer, from start: Int
    ) throws(BodyRefusal) -> Int? {
        guard bytes[start] == .carriageReturn else { throw .malformedChunkEnd }
        guard start &+ 1 < bytes.count else { return nil }
        guard bytes[start &+ 1] == .lineFeed else { throw .malformedChunkEnd }
        state = .chunkLine(ChunkLine(longestExtension: limits.chunkExtension))
        return start &+ 2
    }

    private mutating func readTrailers(
        _ begun: TrailerSection, _ bytes: UnsafeRawBufferPointer, from start: Int
    ) throws(BodyRefusal) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        var section = begun
        guard let length = try section.scan(base + start, count: bytes.count &- start) else {
            state = .trailers(section)
            return nil
        }
        state = .complete
        return start &+ length
    }

    private static func least(_ remaining: UInt64, _ available: Int) -> Int {
        Int(truncatingIfNeeded: min(remaining, UInt64(truncatingIfNeeded: available)))
    }
}
