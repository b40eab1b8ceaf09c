import Affinity

/// Unpadded base64url (RFC 4648, section 5). Strict: other letters, padding and non-zero spare bits do not decode, so
/// that texts and byte sequences correspond one to one.
enum Base64URL {
    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 4 + 2) / 3)
        var bits: UInt32 = 0
        var held = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            held += 8
            while held >= 6 {
                held -= 6
                text.append(Base64URLAlphabet.letter(UInt8(truncatingIfNeeded: bits >> held & 0x3F)))
            }
        }
        if held > 0 { text.append(Base64URLAlphabet.letter(UInt8(truncatingIfNeeded: bits << (6 - held) & 0x3F))) }
        return text
    }

    static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 3 / 4)
        var bits: UInt32 = 0
        var held = 0
        for letter in text {
            guard let value = Base64URLAlphabet.sextet(letter) else { return nil }
            bits = bits << 6 | UInt32(value)
            held += 6
            if held >= 8 {
                held -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> held))
            }
        }
        return bits & (1 << held - 1) == 0 ? bytes : nil
    }
}
