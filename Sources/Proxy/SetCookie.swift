/// What a Set-Cookie field says (RFC 6265, section 5.2), as far as it tells whether a client will send a value back.
struct SetCookie {
    let name: UnsafeRawBufferPointer
    /// As it will be sent back: quotation marks are part of it.
    let value: UnsafeRawBufferPointer
    /// Whether the last Max-Age that is one is not above zero; nil where there is none.
    private var ageIsOver: Bool?
    /// The last date that is one.
    private var expires: CookieDate?

    /// Nil for a field without a name.
    init?(_ field: UnsafeRawBufferPointer) {
        let end = field.firstIndex(of: UInt8(ascii: ";")) ?? field.endIndex
        guard let equals = field[..<end].firstIndex(of: UInt8(ascii: "=")) else { return nil }
        name = Self.trimmed(field, 0..<equals)
        value = Self.trimmed(field, (equals + 1)..<end)
        guard !name.isEmpty else { return nil }
        readAttributes(of: field, from: end + 1)
    }

    /// Whether the client is told to forget the cookie. An empty value is none to send back.
    ///
    /// - Parameter now: in seconds since 1970.
    func isDeletion(at now: UInt32) -> Bool {
        value.isEmpty || ageIsOver ?? expires.map { $0.seconds <= Int64(now) } ?? false
    }

    private mutating func readAttributes(of field: UnsafeRawBufferPointer, from start: Int) {
        var start = start
        while start < field.endIndex {
            let end = field[start...].firstIndex(of: UInt8(ascii: ";")) ?? field.endIndex
            if let equals = field[start..<end].firstIndex(of: UInt8(ascii: "=")) {
                let name = Self.trimmed(field, start..<equals).lazy.map(FieldEdit.lowered)
                let value = Self.trimmed(field, (equals + 1)..<end)
                if name.elementsEqual("max-age".utf8) {
                    ageIsOver = Self.isPast(value) ?? ageIsOver
                } else if name.elementsEqual("expires".utf8) {
                    expires = CookieDate(value) ?? expires
                }
            }
            start = end + 1
        }
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
