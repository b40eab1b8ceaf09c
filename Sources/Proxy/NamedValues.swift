/// Finds `name=value` among pairs with a separator between them: a query (`&`) or a Cookie field (`;`).
enum NamedValues {
    /// Calls `body` with each value of that name (compared to the letter) until it answers false. Spaces and tabs
    /// around a pair do not count. A pair without `=` has no value and is passed over.
    static func forEach(
        in bytes: UnsafeRawBufferPointer, separator: UInt8, named name: String,
        _ body: (UnsafeRawBufferPointer) -> Bool
    ) {
        var name = name
        name.withUTF8 { name in
            var start = 0
            while start < bytes.count {
                let end = bytes[start...].firstIndex(of: separator) ?? bytes.count
                if let value = value(of: UnsafeRawBufferPointer(name), in: trimmed(bytes, start, end)), !body(value) {
                    return
                }
                start = end + 1
            }
        }
    }

    private static func trimmed(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> UnsafeRawBufferPointer {
        var start = start
        var end = end
        while start < end, isSpace(bytes[start]) { start += 1 }
        while end > start, isSpace(bytes[end - 1]) { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    private static func value(
        of name: UnsafeRawBufferPointer, in pair: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        guard pair.count > name.count, pair[name.count] == UInt8(ascii: "="), pair.starts(with: name) else {
            return nil
        }
        return UnsafeRawBufferPointer(rebasing: pair[(name.count + 1)...])
    }
}
