/// What a Set-Cookie field says (RFC 6265, section 5.2), as far as it tells whether a client will send a value back.
struct SetCookie {
    let name: UnsafeRawBufferPointer
    /// As it will be sent back: quotation marks are part of it.
    let value: UnsafeRawBufferPointer
    /// The client is told to forget the cookie.
    let isDeletion: Bool

    /// Nil for a field without a name.
    init?(_ field: UnsafeRawBufferPointer) {
        let end = field.firstIndex(of: UInt8(ascii: ";")) ?? field.endIndex
        guard let equals = field[..<end].firstIndex(of: UInt8(ascii: "=")) else { return nil }
        name = Self.trimmed(field, 0..<equals)
        value = Self.trimmed(field, (equals + 1)..<end)
        guard !name.isEmpty else { return nil }
        isDeletion = value.isEmpty || Self.expiresNow(field, from: end)
    }

    /// Whether the last Max-Age that is one is not above zero.
    private static func expiresNow(_ field: UnsafeRawBufferPointer, from start: Int) -> Bool {
        var expires = false
        var start = start + 1
        while start < field.endIndex {
            let end = field[start...].firstIndex(of: UInt8(ascii: ";")) ?? field.endIndex
            if let equals = field[start..<end].firstIndex(of: UInt8(ascii: "=")) {
                let attribute = trimmed(field, start..<equals)
                if attribute.lazy.map(FieldEdit.lowered).elementsEqual("max-age".utf8) {
                    expires = isPast(trimmed(field, (equals + 1)..<end)) ?? expires
                }
            }
            start = end + 1
        }
        return expires
    }

    /// Nil for what is no number: such an attribute does not count.
    private static func isPast(_ age: UnsafeRawBufferPointer) -> Bool? {
        let isNegative = age.first == UInt8(ascii: "-")
        let digits = age.dropFirst(isNegative ? 1 : 0)
        guard !age.isEmpty, digits.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else { return nil }
        return isNegative || digits.allSatisfy { $0 == UInt8(ascii: "0") }
    }

    private static func trimmed(_ field: UnsafeRawBufferPointer, _ range: Range<Int>) -> UnsafeRawBufferPointer {
        var range = range
        func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        while let first = range.first, isSpace(field[first]) { range = first + 1..<range.upperBound }
        while let last = range.last, isSpace(field[last]) { range = range.lowerBound..<last }
        return UnsafeRawBufferPointer(rebasing: field[range])
    }
}
