import Affinity

/// A session's record as Redis holds it: `<binding>`, or `<binding>:<seconds since 1970>` if sessions end by age, in
/// decimal digits.
struct Record: Hashable {
    let binding: Binding
    /// When the session began, in seconds since 1970. Never 0.
    let createdAtSeconds: UInt32?

    init(_ binding: Binding, createdAtSeconds: UInt32? = nil) {
        self.binding = binding
        self.createdAtSeconds = createdAtSeconds
    }

    /// Parses what the scripts return, where 0 means no creation time. Nil for anything that Limpet would not write.
    init?(binding: Int64, createdAtSeconds: Int64) {
        guard let record = UInt64(exactly: binding), let binding = Binding(record: record),
            let createdAtSeconds = UInt32(exactly: createdAtSeconds)
        else { return nil }
        self.init(binding, createdAtSeconds: createdAtSeconds == 0 ? nil : createdAtSeconds)
    }

    /// Parses the text of a record. Nil for anything that Limpet would not write, including leading zeros, signs and
    /// spaces. The scripts apply the same rule.
    init?(_ text: UnsafeRawBufferPointer) {
        var end = 0
        while end < text.count, text[end] != UInt8(ascii: ":") { end &+= 1 }
        guard let integer = Self.number(UnsafeRawBufferPointer(rebasing: text[..<end]), digits: 16),
            let binding = Binding(record: integer)
        else { return nil }
        guard end < text.count else {
            self.init(binding)
            return
        }
        guard let seconds = Self.number(UnsafeRawBufferPointer(rebasing: text[(end + 1)...]), digits: 10),
            let createdAtSeconds = UInt32(exactly: seconds)
        else {
            return nil
        }
        self.init(binding, createdAtSeconds: createdAtSeconds)
    }

    private static func number(_ text: UnsafeRawBufferPointer, digits: Int) -> UInt64? {
        guard text.count <= digits, text.first != UInt8(ascii: "0") else { return nil }
        return UInt64(decimal: text)
    }
}
