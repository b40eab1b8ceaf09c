/// The fields after the last chunk, and the empty line that ends them (RFC 9112 §7.1.2). Offsets count from the first
/// byte of the section, which the caller keeps until the section is complete.
struct TrailerSection {
    private var lineStart = 0
    private var lines = 0
    /// The bytes already searched for the end of a line.
    private var searched = 0

    /// Continues scanning the section, of which `count` bytes are at `base`. Returns its length once it is complete,
    /// otherwise nil.
    mutating func scan(_ base: UnsafeRawPointer, count: Int, limits: MessageLimits) throws(BodyRefusal) -> Int? {
        while searched < count {
            let index = ByteLanes.first(.lineFeed, in: base, from: searched, to: count)
            searched = min(index &+ 1, count)
            // A line is judged when it is complete or too long, so that the result does not depend on how its bytes
            // arrive.
            let isTooLong = searched &- lineStart > limits.field || searched > limits.fieldSection
            guard index < count || isTooLong else { return nil }
            switch try line(base, count: searched, limits: limits) {
            case .wait: return nil
            case .field(let end): lineStart = end
            case .end(let end): return end
            }
        }
        return nil
    }

    private enum Verdict {
        case wait
        case field(end: Int)
        case end(Int)
    }

    /// Judges the line at `lineStart`. Bytes up to `count` may be examined.
    private mutating func line(
        _ base: UnsafeRawPointer, count: Int, limits: MessageLimits
    ) throws(BodyRefusal) -> Verdict {
        do throws(Halt) {
            if base.load(fromByteOffset: lineStart, as: UInt8.self) == .carriageReturn {
                return .end(try Line.end(base, at: lineStart, count: count, lastEnd: lineStart))
            }
            guard lines < limits.fieldCount else { throw .refused(.tooManyFields) }
            let scanned = try FieldLine.scan(base, from: lineStart, count: count, sectionStart: 0, limits: limits)
            lines &+= 1
            return .field(end: Int(scanned.field.lineEnd))
        } catch {
            switch error {
            case .incomplete: return .wait
            case .refused(let refusal): throw .malformedTrailer(refusal)
            }
        }
    }

    // MARK: Fields of a complete section

    /// Calls `body` with each field of an accepted section, whose field lines are at `lines` in `bytes`. Fields that
    /// must not be in a trailer section are marked as removed.
    static func forEachField(
        in lines: Range<Int>, of bytes: UnsafeRawBufferPointer, _ body: (Field) -> Void
    ) {
        guard let base = bytes.baseAddress, lines.upperBound <= bytes.count else { return }
        var start = lines.lowerBound
        while start < lines.upperBound {
            guard
                let line = try? FieldLine.scan(
                    base, from: start, count: lines.upperBound, sectionStart: lines.lowerBound, limits: .unlimited)
            else { return assertionFailure("a trailer line was accepted before") }
            var field = line.field
            let name = UnsafeRawBufferPointer(rebasing: bytes[field.nameRange])
            if TrailerNames.isForbidden(field.name, name, mayBeAlias: line.mayBeAlias) {
                field.extent = .nothing
            }
            body(field)
            start = Int(field.lineEnd)
        }
    }
}
