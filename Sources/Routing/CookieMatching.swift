/// Looks for a cookie in a Cookie field, in place.
enum CookieMatching {
    static let field: StaticString = "cookie"

    /// Whether `isWanted` holds for the value of any cookie of this name, compared to the letter (RFC 6265, section
    /// 4.2): the value as it was sent, or without the quotation marks around it. What has no `=` is no cookie.
    static func hasCookie(
        _ line: UnsafeRawBufferPointer, named name: UnsafeRawBufferPointer,
        where isWanted: (UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        var start = 0
        while start < line.count {
            let end = line[start...].firstIndex(of: UInt8(ascii: ";")) ?? line.count
            let pair = trimmed(UnsafeRawBufferPointer(rebasing: line[start..<end]))
            if pair.count > name.count, pair[name.count] == UInt8(ascii: "="), pair.starts(with: name) {
                let value = UnsafeRawBufferPointer(rebasing: pair[(name.count + 1)...])
                if isWanted(value) { return true }
                if let unquoted = unquoted(value), isWanted(unquoted) { return true }
            }
            start = end + 1
        }
        return false
    }

    private static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var (start, end) = (0, bytes.count)
        while start < end, isBlank(bytes[start]) { start += 1 }
        while end > start, isBlank(bytes[end - 1]) { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func unquoted(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let mark = UInt8(ascii: "\"")
        guard value.count >= 2, value.first == mark, value.last == mark else { return nil }
        return UnsafeRawBufferPointer(rebasing: value[1..<(value.count - 1)])
    }
}
