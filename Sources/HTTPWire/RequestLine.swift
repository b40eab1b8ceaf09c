/// The request line (RFC 9112 §3), split and validated.
struct RequestLine {
    var method: Method
    var methodRange: Range<Int>
    var target: Range<Int>
    var path: Range<Int>
    var query: Range<Int>?
    var authority: Range<Int>?
    var isAsterisk = false
    var version: HTTPVersion
    /// Just after the CRLF.
    var end: Int

    /// The longest method in use has 17 bytes (`UPDATEREDIRECTREF`).
    private static var longestMethod: Int { 32 }

    init(_ base: UnsafeRawPointer, count: Int, limit: Int) throws(Halt) {
        let start = try Self.skipEmptyLine(base, count: count)
        // The line's CR is at `lastEnd` or before.
        let lastEnd = start &+ limit
        let horizon = min(count, lastEnd &+ 1)
        let methodEnd = try Self.endOfMethod(base, from: start, horizon: horizon, lastEnd: lastEnd)
        let targetStart = methodEnd &+ 1
        let targetEnd = ByteLanes.endOfTarget(base, from: targetStart, to: horizon)
        guard targetEnd < horizon else { throw Self.atHorizon(horizon, lastEnd) }
        guard targetEnd > targetStart, base.load(fromByteOffset: targetEnd, as: UInt8.self) == 0x20 else {
            throw .refused(.malformedTarget)
        }
        methodRange = start..<methodEnd
        method = Self.method(base, methodRange)
        target = targetStart..<targetEnd
        version = try VersionText.scan(base, from: targetEnd &+ 1, horizon: horizon, lastEnd: lastEnd)
        end = try Line.end(base, at: targetEnd &+ 1 &+ VersionText.length, count: count, lastEnd: lastEnd)
        path = target
        try splitTarget(base)
    }

    /// The offset after the one empty line that RFC 9112 §2.2 allows a client to send first, or 0.
    private static func skipEmptyLine(_ base: UnsafeRawPointer, count: Int) throws(Halt) -> Int {
        let first = base.load(as: UInt8.self)
        if first == .lineFeed { throw .refused(.bareLineFeed) }
        guard first == .carriageReturn else { return 0 }
        guard count > 1 else { throw .incomplete }
        guard base.load(fromByteOffset: 1, as: UInt8.self) == .lineFeed else { throw .refused(.bareCarriageReturn) }
        guard count > 2 else { throw .incomplete }
        switch base.load(fromByteOffset: 2, as: UInt8.self) {
        case .carriageReturn: throw .refused(.leadingEmptyLines)
        case .lineFeed: throw .refused(.bareLineFeed)
        default: return 2
        }
    }

    private static func endOfMethod(
        _ base: UnsafeRawPointer, from start: Int, horizon: Int, lastEnd: Int
    ) throws(Halt) -> Int {
        let bound = min(horizon, start &+ longestMethod &+ 1)
        var index = start
        while index < bound {
            let byte = base.load(fromByteOffset: index, as: UInt8.self)
            if !byte.isToken {
                guard byte == 0x20, index > start else { throw .refused(.malformedMethod) }
                return index
            }
            index &+= 1
        }
        if index == start &+ longestMethod &+ 1 { throw .refused(.methodTooLong) }
        throw atHorizon(horizon, lastEnd)
    }

    private static func atHorizon(_ horizon: Int, _ lastEnd: Int) -> Halt {
        horizon > lastEnd ? .refused(.requestLineTooLong) : .incomplete
    }

    private static func method(_ base: UnsafeRawPointer, _ range: Range<Int>) -> Method {
        guard range.count <= 8 else { return .other }
        var key: UInt64 = 0
        for index in range { key = key &<< 8 | UInt64(base.load(fromByteOffset: index, as: UInt8.self)) }
        return Method(key: key, length: range.count)
    }

    /// Splits the target (RFC 9112 §3.2) and refuses any form that is not allowed.
    private mutating func splitTarget(_ base: UnsafeRawPointer) throws(Halt) {
        if method == .connect { throw .refused(.connectUnsupported) }
        switch base.load(fromByteOffset: target.lowerBound, as: UInt8.self) {
        case UInt8(ascii: "/"):
            splitPath(base, from: target.lowerBound)
        case UInt8(ascii: "*") where target.count == 1:
            if method != .options { throw .refused(.asteriskWithoutOptions) }
            isAsterisk = true
        default:
            try splitAbsolute(base)
        }
    }

    private mutating func splitPath(_ base: UnsafeRawPointer, from start: Int) {
        let end = target.upperBound
        let mark = ByteLanes.first(UInt8(ascii: "?"), in: base, from: start, to: end)
        path = start..<mark
        query = mark < end ? (mark &+ 1)..<end : nil
    }

    private mutating func splitAbsolute(_ base: UnsafeRawPointer) throws(Halt) {
        let start = target.lowerBound &+ Self.schemeLength(base + target.lowerBound, count: target.count)
        guard start > target.lowerBound else { throw .refused(.malformedTarget) }
        var end = start
        while end < target.upperBound {
            let byte = base.load(fromByteOffset: end, as: UInt8.self)
            if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") { break }
            end &+= 1
        }
        guard let length = Authority.length(UnsafeRawBufferPointer(start: base + start, count: end &- start)) else {
            throw .refused(.malformedAuthority)
        }
        authority = start..<(start &+ length)
        splitPath(base, from: end)
        isAsterisk = method == .options && path.isEmpty && query == nil
    }

    /// The length of `http://` or `https://` in any case, or 0.
    private static func schemeLength(_ target: UnsafeRawPointer, count: Int) -> Int {
        let plain: StaticString = "http://"
        let secure: StaticString = "https://"
        if count > 7, isScheme(target, plain, 4) { return 7 }
        return count > 8 && isScheme(target, secure, 5) ? 8 : 0
    }

    /// Letters are compared case-insensitively, the delimiters after them exactly.
    private static func isScheme(_ target: UnsafeRawPointer, _ scheme: StaticString, _ letters: Int) -> Bool {
        for index in 0..<scheme.utf8CodeUnitCount {
            let byte = target.load(fromByteOffset: index, as: UInt8.self)
            if (index < letters ? byte | 0x20 : byte) != scheme.utf8Start[index] { return false }
        }
        return true
    }
}
