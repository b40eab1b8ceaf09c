/// `HTTP/1.1` as it appears in a start line (RFC 9112 §2.3).
enum VersionText {
    static var length: Int { 8 }

    /// The version whose eight bytes begin at `start`. Bytes before `horizon` may be examined. It is the end of the
    /// available bytes or the line's limit, one past `lastEnd`.
    @inline(__always)
    static func scan(
        _ base: UnsafeRawPointer, from start: Int, horizon: Int, lastEnd: Int
    ) throws(Halt) -> HTTPVersion {
        guard start &+ length <= horizon else {
            throw cut(base, from: start, horizon: horizon, lastEnd: lastEnd)
        }
        let word = ByteLanes.load(base, start)
        if word == current { return .http11 }
        if word == 0x302E_312F_5054_5448 { return .http10 }
        throw .refused(refusal(base, from: start))
    }

    /// `HTTP/1.1`, first byte in the lowest lane.
    private static var current: UInt64 { 0x312E_312F_5054_5448 }

    private static func refusal(_ base: UnsafeRawPointer, from start: Int) -> HeadRefusal {
        for index in 0..<length where !fits(base, start, index) { return .malformedVersion }
        return .unsupportedVersion
    }

    /// The result for fewer than eight bytes.
    private static func cut(_ base: UnsafeRawPointer, from start: Int, horizon: Int, lastEnd: Int) -> Halt {
        var index = 0
        while start &+ index < horizon {
            if !fits(base, start, index) { return .refused(.malformedVersion) }
            index &+= 1
        }
        return horizon > lastEnd ? .refused(.requestLineTooLong) : .incomplete
    }

    /// Whether the byte at `index` of the version matches `HTTP/d.d`.
    private static func fits(_ base: UnsafeRawPointer, _ start: Int, _ index: Int) -> Bool {
        let byte = base.load(fromByteOffset: start &+ index, as: UInt8.self)
        return index == 5 || index == 7 ? byte.isDigit : UInt64(byte) == (current &>> UInt64(index &* 8)) & 0xFF
    }
}
