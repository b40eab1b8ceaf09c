/// `host[:port]` as it appears in Host and in absolute-form targets (RFC 9110 §4.2, RFC 3986 §3.2): no user
/// information, no empty host, no port above 65535.
enum Authority {
    /// The length of the authority in `bytes`, without the colon of an empty port, which does not change the meaning
    /// (RFC 3986 §6.2.3). Nil if `bytes` are not an authority.
    static func length(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard let first = bytes.first else { return nil }
        let end = first == UInt8(ascii: "[") ? endOfLiteral(bytes) : endOfName(bytes)
        guard let end else { return nil }
        if end == bytes.count { return end }
        if end &+ 1 == bytes.count, bytes[end] == UInt8(ascii: ":") { return end }
        return isPort(UnsafeRawBufferPointer(rebasing: bytes[end...])) ? bytes.count : nil
    }

    /// The offset after a registered name, or after an IPv4 address, which has the same form. Nil if there is neither.
    private static func endOfName(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var index = 0
        while index < bytes.count, bytes[index] != UInt8(ascii: ":") {
            if bytes[index] == UInt8(ascii: "%") {
                guard index &+ 2 < bytes.count, bytes[index &+ 1].hexValue != nil, bytes[index &+ 2].hexValue != nil
                else { return nil }
                index &+= 3
            } else {
                guard bytes[index].isRegisteredName else { return nil }
                index &+= 1
            }
        }
        return index > 0 ? index : nil
    }

    /// The offset after `[IPv6 address]`. Nil if there is none. Zones and future versions are refused.
    private static func endOfLiteral(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard let close = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
        return IPv6Text.isValid(UnsafeRawBufferPointer(rebasing: bytes[1..<close])) ? close + 1 : nil
    }

    /// `:` and 1 to 5 digits.
    private static func isPort(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= 2, bytes.count <= 6, bytes[0] == UInt8(ascii: ":") else { return false }
        var port = 0
        for digit in bytes.dropFirst() {
            guard digit.isDigit else { return false }
            port = port &* 10 &+ Int(digit &- UInt8(ascii: "0"))
        }
        return port <= 65535
    }
}
