/// Parsing that all lines of a head share.
enum Line {
    /// The offset after the CRLF that must be at `index`. `lastEnd` is the last offset at which the line's limit allows
    /// its CR; `index` must not exceed it by more than one.
    @inline(__always)
    static func end(
        _ base: UnsafeRawPointer, at index: Int, count: Int, lastEnd: Int, tooLong: HeadRefusal = .requestLineTooLong,
        otherwise: HeadRefusal = .malformedVersion
    ) throws(Halt) -> Int {
        guard index <= lastEnd else { throw .refused(tooLong) }
        guard index < count else { throw .incomplete }
        switch base.load(fromByteOffset: index, as: UInt8.self) {
        case .carriageReturn: break
        case .lineFeed: throw .refused(.bareLineFeed)
        default: throw .refused(otherwise)
        }
        guard index &+ 1 < count else { throw .incomplete }
        guard base.load(fromByteOffset: index &+ 1, as: UInt8.self) == .lineFeed else {
            throw .refused(.bareCarriageReturn)
        }
        return index &+ 2
    }
}
