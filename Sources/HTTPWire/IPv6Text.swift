/// The text form of an IPv6 address (RFC 3986 §3.2.2): groups of hexadecimal digits between colons, one `::` for a run
/// of zeros, and optionally an IPv4 address in place of the last two groups.
enum IPv6Text {
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var groups = 0
        var hasGap = false
        var index = 0
        if bytes.count >= 2, bytes[0] == UInt8(ascii: ":") {
            guard bytes[1] == UInt8(ascii: ":") else { return false }
            hasGap = true
            index = 2
        }
        while index < bytes.count {
            let end = endOfGroup(bytes, from: index)
            if end < bytes.count, bytes[end] == UInt8(ascii: ".") {
                guard isIPv4(bytes, from: index) else { return false }
                groups += 2
                break
            }
            guard end > index, end - index <= 4 else { return false }
            groups += 1
            if end == bytes.count { break }
            guard bytes[end] == UInt8(ascii: ":"), end + 1 < bytes.count else { return false }
            index = end + 1
            if bytes[index] == UInt8(ascii: ":") {
                guard !hasGap else { return false }
                hasGap = true
                index += 1
            }
        }
        return hasGap ? groups < 8 : groups == 8
    }

    private static func endOfGroup(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        while index < bytes.count, bytes[index].hexValue != nil { index += 1 }
        return index
    }

    /// Whether the rest is four decimal numbers of at most 255, separated by dots and without leading zeros.
    private static func isIPv4(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Bool {
        var parts = 0
        var index = start
        while true {
            let first = index
            var value = 0
            while index < bytes.count, bytes[index].isDigit, index - first < 4 {
                value = value * 10 + Int(bytes[index] - UInt8(ascii: "0"))
                index += 1
            }
            let length = index - first
            guard length > 0, value <= 255, length == 1 || bytes[first] != UInt8(ascii: "0") else { return false }
            parts += 1
            if index == bytes.count { return parts == 4 }
            guard bytes[index] == UInt8(ascii: "."), parts < 4 else { return false }
            index += 1
        }
    }
}
