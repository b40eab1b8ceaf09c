import Affinity

extension Fingerprint {
    /// Reads what `withText` writes, and nothing else: 22 characters, the last of which has four bits of nothing.
    init?(text: Slice<UnsafeRawBufferPointer>) {
        guard text.count == Self.textLength else { return nil }
        var bits: UInt128 = 0
        for (index, letter) in text.enumerated() {
            guard let sextet = Self.sextet(letter) else { return nil }
            guard index == Self.textLength - 1 else {
                bits = bits << 6 | UInt128(sextet)
                continue
            }
            guard sextet & 0xF == 0 else { return nil }
            bits = bits << 2 | UInt128(sextet >> 4)
        }
        self.init(high: UInt64(truncatingIfNeeded: bits >> 64), low: UInt64(truncatingIfNeeded: bits))
    }

    private static func sextet(_ letter: UInt8) -> UInt8? {
        switch letter {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): letter - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): letter - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): letter - UInt8(ascii: "0") + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
