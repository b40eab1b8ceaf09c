/// The character classes of RFC 9110 §5.6 and RFC 3986 §2.
extension UInt8 {
    /// Whether a token may contain this byte.
    @inline(__always)
    package var isToken: Bool {
        guard self < 0x80 else { return false }
        let set: UInt64 = self < 64 ? 0x03FF_6CFA_0000_0000 : 0x57FF_FFFF_C7FF_FFFE
        return (set &>> UInt64(self & 63)) & 1 == 1
    }

    /// SP or HTAB, the only white space inside a line.
    @inline(__always)
    var isBlank: Bool { self == 0x20 || self == 0x09 }

    /// Any byte except a control character other than HTAB: the content of field values and quoted strings (RFC 9110
    /// §5.5).
    @inline(__always)
    var isText: Bool { self >= 0x20 && self != 0x7F || self == 0x09 }

    @inline(__always)
    var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }

    @inline(__always)
    var hexValue: UInt8? {
        if isDigit { return self &- UInt8(ascii: "0") }
        let letter = (self | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter &+ 10 : nil
    }

    /// Whether a registered name may contain this byte: unreserved or sub-delims. The caller handles `%`.
    @inline(__always)
    var isRegisteredName: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "!"),
            UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="):
            true
        default: false
        }
    }

    @inline(__always)
    static var carriageReturn: UInt8 { 0x0D }
    @inline(__always)
    static var lineFeed: UInt8 { 0x0A }
}
