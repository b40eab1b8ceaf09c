/// The base64url alphabet (RFC 4648, section 5), used for fingerprints, cookies and fleet messages.
package enum Base64URLAlphabet {
    private static var letters: StaticString { "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" }

    /// The letter that encodes six bits; higher bits are ignored.
    package static func letter(_ sextet: UInt8) -> UInt8 { letters.utf8Start[Int(sextet & 0x3F)] }

    /// The six bits that a letter encodes; nil for a character outside the alphabet.
    package static func sextet(_ letter: UInt8) -> UInt8? {
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
