import HTTPWire

/// The parts of a Set-Cookie field (RFC 6265, section 5.2) that determine whether a client will send a value back.
struct SetCookie {
    let name: UnsafeRawBufferPointer
    /// Without surrounding quotation marks: a client may send it back with or without them.
    let value: UnsafeRawBufferPointer
    /// Whether the last valid Max-Age is zero or negative; nil if there is none.
    private var ageIsOver: Bool?
    /// The last valid date of an Expires attribute.
    private var expires: CookieDate?

    /// Nil for a field without a name.
    init?(_ field: UnsafeRawBufferPointer) {
        let end = field.firstIndex(of: UInt8(ascii: ";")) ?? field.endIndex
        guard let equals = field[..<end].firstIndex(of: UInt8(ascii: "=")) else { return nil }
        name = field.trimmed(0..<equals)
        let value = field.trimmed((equals + 1)..<end)
        self.value = CookieValue.unquoted(value) ?? value
        guard !name.isEmpty else { return nil }
        readAttributes(of: field, from: end + 1)
    }

    /// Whether the field tells the client to delete the cookie. An empty value counts as a deletion, because it cannot
    /// be a session key.
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
                let name = field.trimmed(start..<equals).lazy.map(FieldEdit.lowered)
                let value = field.trimmed((equals + 1)..<end)
                if name.elementsEqual("max-age".utf8) {
                    ageIsOver = Self.isPast(value) ?? ageIsOver
                } else if name.elementsEqual("expires".utf8) {
                    expires = CookieDate(value) ?? expires
                }
            }
            start = end + 1
        }
    }

    /// Nil if the value is not a number: such an attribute is ignored.
    private static func isPast(_ age: UnsafeRawBufferPointer) -> Bool? {
        let isNegative = age.first == UInt8(ascii: "-")
        let digits = age.dropFirst(isNegative ? 1 : 0)
        guard !age.isEmpty, digits.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else { return nil }
        return isNegative || digits.allSatisfy { $0 == UInt8(ascii: "0") }
    }
}
