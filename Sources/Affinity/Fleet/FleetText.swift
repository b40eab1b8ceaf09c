/// The text of fleet messages: numbers in base 64 without leading zeros, and names for people to read.
enum FleetText {
    static func append(_ number: UInt64, to text: inout [UInt8]) {
        var shift = (UInt64.bitWidth - 1 - min(number.leadingZeroBitCount, UInt64.bitWidth - 1)) / 6 * 6
        while shift >= 0 {
            text.append(Base64URLAlphabet.letter(UInt8(truncatingIfNeeded: number >> UInt64(shift) & 0x3F)))
            shift -= 6
        }
    }

    /// Nil for text that ``append(_:to:)`` would not write, and for numbers above `max`.
    static func number(_ text: some Collection<UInt8>, max: UInt64 = .max) -> UInt64? {
        guard let first = text.first, text.count == 1 || first != Base64URLAlphabet.letter(0) else { return nil }
        var number: UInt64 = 0
        for letter in text {
            guard let digit = Base64URLAlphabet.sextet(letter), number >> 58 == 0 else { return nil }
            number = number << 6 | UInt64(digit)
        }
        return number <= max ? number : nil
    }

    static func cleaned(_ name: String) -> String {
        let bytes = name.utf8.prefix(FleetMessage.Sender.nameMax).map { mayStandInName($0) ? $0 : UInt8(ascii: "_") }
        return bytes.isEmpty ? "_" : String(decoding: bytes, as: UTF8.self)
    }

    /// Nil for text that ``cleaned(_:)`` would not return.
    static func name(_ text: some Collection<UInt8>) -> String? {
        guard !text.isEmpty, text.count <= FleetMessage.Sender.nameMax, text.allSatisfy(mayStandInName) else {
            return nil
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func mayStandInName(_ letter: UInt8) -> Bool {
        Base64URLAlphabet.sextet(letter) != nil || ".:+@/".utf8.contains(letter)
    }
}
