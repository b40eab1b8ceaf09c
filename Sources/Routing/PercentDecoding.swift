/// Reads the bytes of a path or of a query as rules compare them, one at a time and in place.
struct PercentDecoding {
    enum Form {
        /// As Traefik routes: escapes of RFC 3986's reserved characters and of `%` stay, with capital digits.
        case path
        /// As in forms: every escape is decoded, and `+` is a space.
        case query
    }

    private let bytes: UnsafeRawBufferPointer
    private let form: Form
    private var position = 0
    /// Of an escape that stays, how many of its digits are still to come.
    private var digitsLeft = 0

    init(_ bytes: UnsafeRawBufferPointer, _ form: Form) {
        self.bytes = bytes
        self.form = form
    }

    /// An escape that is not followed by two hexadecimal digits stands for itself.
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

    /// What the two digits from here on stand for.
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

    /// The same, of what is still to come.
    func matches(_ literal: UnsafeRawBufferPointer, isPrefix: Bool = false) -> Bool {
        var rest = self
        for wanted in literal {
            guard rest.next() == wanted else { return false }
        }
        return isPrefix || rest.next() == nil
    }
}
