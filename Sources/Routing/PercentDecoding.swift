/// Decodes a path or a query to the bytes that rules compare, one at a time and in place.
struct PercentDecoding {
    enum Form {
        /// As in Traefik's routing: escapes of RFC 3986's reserved characters and of `%` stay, with upper-case digits.
        case path
        /// As in HTML forms: every escape is decoded, and `+` is a space.
        case query
    }

    private let bytes: UnsafeRawBufferPointer
    private let form: Form
    private var position = 0
    /// The number of digits still to come of an escape that stays.
    private var digitsLeft = 0

    init(_ bytes: UnsafeRawBufferPointer, _ form: Form) {
        self.bytes = bytes
        self.form = form
    }

    /// A `%` that is not followed by two hexadecimal digits is a literal.
    mutating func next() -> UInt8? {
        guard position < bytes.count else { return nil }
        let byte = bytes[position]
        position += 1
        if digitsLeft > 0 {
            digitsLeft -= 1
            return byte.uppercased
        }
        if byte == UInt8(ascii: "+"), form == .query { return 0x20 }
        guard byte == UInt8(ascii: "%"), let decoded = escaped() else { return byte }
        if form == .path, PercentEscape.isReserved(decoded) {
            digitsLeft = 2
            return byte
        }
        position += 2
        return decoded
    }

    /// The byte that the next two digits encode.
    private func escaped() -> UInt8? {
        guard position + 2 <= bytes.count, let high = PercentEscape.digit(bytes[position]),
            let low = PercentEscape.digit(bytes[position + 1])
        else { return nil }
        return high << 4 | low
    }

    /// Whether the decoded bytes begin with `literal`, and, unless `isPrefix`, end there too.
    static func matches(
        _ bytes: UnsafeRawBufferPointer, _ form: Form, _ literal: UnsafeRawBufferPointer, isPrefix: Bool = false
    ) -> Bool {
        PercentDecoding(bytes, form).matches(literal, isPrefix: isPrefix)
    }

    /// The same, for the remaining bytes.
    func matches(_ literal: UnsafeRawBufferPointer, isPrefix: Bool = false) -> Bool {
        var rest = self
        for wanted in literal {
            guard rest.next() == wanted else { return false }
        }
        return isPrefix || rest.next() == nil
    }
}
