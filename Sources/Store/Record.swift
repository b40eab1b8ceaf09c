import Affinity

/// What the store keeps of a session: `<binding>`, or `<binding>:<born>` where sessions end by age, in decimal digits.
struct Record: Hashable {
    let binding: Binding
    /// When the session began, in seconds since 1970. Never 0.
    let born: UInt32?

    init(_ binding: Binding, born: UInt32? = nil) {
        self.binding = binding
        self.born = born
    }

    /// As the scripts answer: no session begins at 0. Nil for anything that Limpet would not write.
    init?(binding: Int64, born: Int64) {
        guard let record = UInt64(exactly: binding), let binding = Binding(record: record),
            let born = UInt32(exactly: born)
        else { return nil }
        self.init(binding, born: born == 0 ? nil : born)
    }

    /// The record that a text stands for. Nil for anything that Limpet would not write, so also for leading zeros,
    /// signs and spaces: the scripts judge alike.
    init?(_ text: UnsafeRawBufferPointer) {
        let colon = text.firstIndex(of: UInt8(ascii: ":"))
        guard let integer = Self.number(text[..<(colon ?? text.endIndex)], digits: 16),
            let binding = Binding(record: integer)
        else { return nil }
        guard let colon else {
            self.init(binding)
            return
        }
        guard let seconds = Self.number(text[(colon + 1)...], digits: 10), let born = UInt32(exactly: seconds) else {
            return nil
        }
        self.init(binding, born: born)
    }

    private static func number(_ text: Slice<UnsafeRawBufferPointer>, digits: Int) -> UInt64? {
        guard (1...digits).contains(text.count), text.first != UInt8(ascii: "0") else { return nil }
        var number: UInt64 = 0
        for byte in text {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            number = number * 10 + UInt64(byte - UInt8(ascii: "0"))
        }
        return number
    }
}
