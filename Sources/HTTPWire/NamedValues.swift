/// Finds `name=value` in a list of pairs with a separator: a query (`&`) or a Cookie field (`;`).
package enum NamedValues {
    /// Calls `body` with each value of this name (case-sensitive) until it returns false. Spaces and tabs around a pair
    /// are ignored. A pair without `=` has no value and is skipped.
    package static func forEach(
        in bytes: UnsafeRawBufferPointer, separator: UInt8, named name: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer) -> Bool
    ) {
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: separator) ?? bytes.count
            if let value = value(of: name, in: bytes.trimmed(start..<end)), !body(value) { return }
            start = end + 1
        }
    }

    private static func value(
        of name: UnsafeRawBufferPointer, in pair: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        guard pair.count > name.count, pair[name.count] == UInt8(ascii: "="), pair.starts(with: name) else {
            return nil
        }
        return UnsafeRawBufferPointer(rebasing: pair[(name.count + 1)...])
    }
}

extension UnsafeRawBufferPointer {
    /// The bytes in this range, without the spaces and tabs around them.
    package func trimmed(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, self[start].isBlank { start += 1 }
        while end > start, self[end - 1].isBlank { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: self[start..<end])
    }
}
