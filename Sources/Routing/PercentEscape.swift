/// The building blocks of percent-encoding (RFC 3986, section 2.1).
package enum PercentEscape {
    /// The value of a hexadecimal digit in either case. Nil for any other byte.
    package static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// The escape of a byte, with uppercase digits.
    package static func triple(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    /// Whether every percent sign begins a valid escape.
    static func areSound(in bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = bytes[...]
        while let sign = rest.firstIndex(of: UInt8(ascii: "%")) {
            rest = rest[(sign + 1)...]
            guard rest.count >= 2, rest.prefix(2).allSatisfy({ digit($0) != nil }) else { return false }
        }
        return true
    }

    /// Whether the byte is reserved (RFC 3986, section 2.2) or is `%`. Decoding it would change the meaning of the
    /// path.
    package static func isReserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"),
            UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: ","),
            UInt8(ascii: "/"),
            UInt8(ascii: ":"), UInt8(ascii: ";"), UInt8(ascii: "="), UInt8(ascii: "?"), UInt8(ascii: "@"),
            UInt8(ascii: "["),
            UInt8(ascii: "]"):
            true
        default: false
        }
    }
}
