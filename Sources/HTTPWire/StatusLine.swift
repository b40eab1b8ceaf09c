/// The status line of a response (RFC 9112 §4), validated.
struct StatusLine {
    var version: HTTPVersion
    var status: Int
    /// Just after the CRLF.
    var end: Int

    init(_ base: UnsafeRawPointer, count: Int, limit: Int) throws(Halt) {
        let lastEnd = limit
        let horizon = min(count, lastEnd &+ 1)
        version = try VersionText.scan(base, from: 0, horizon: horizon, lastEnd: lastEnd)
        status = try Self.status(base, horizon: horizon, lastEnd: lastEnd)
        let reason = VersionText.length &+ 4
        // Many servers that send no reason also omit the space before it.
        let afterStatus = reason < horizon ? base.load(fromByteOffset: reason, as: UInt8.self) : 0x20
        guard afterStatus == 0x20 || afterStatus == .carriageReturn || afterStatus == .lineFeed else {
            throw .refused(.malformedStatusLine)
        }
        let text = ByteLanes.endOfText(base, from: min(reason, horizon), to: horizon)
        end = try Line.end(base, at: text, count: count, lastEnd: lastEnd, otherwise: .malformedStatusLine)
    }

    /// The number in ` NNN`, which follows the version.
    private static func status(_ base: UnsafeRawPointer, horizon: Int, lastEnd: Int) throws(Halt) -> Int {
        var status = 0
        for offset in 0..<4 {
            let index = VersionText.length &+ offset
            guard index < horizon else {
                throw horizon > lastEnd ? .refused(.requestLineTooLong) : .incomplete
            }
            let byte = base.load(fromByteOffset: index, as: UInt8.self)
            guard offset == 0 ? byte == 0x20 : byte.isDigit else { throw .refused(.malformedStatusLine) }
            if offset > 0 { status = status &* 10 &+ Int(byte &- UInt8(ascii: "0")) }
        }
        guard status >= 100 && status <= 599 else { throw .refused(.malformedStatusLine) }
        return status
    }
}
