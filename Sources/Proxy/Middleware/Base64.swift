/// Base64 with padding (RFC 4648, section 4), as used in credentials, htpasswd files and the handshake of WebSocket.
/// Strict like ``Base64URL``.
enum Base64 {
    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        // The two alphabets differ in two letters.
        var text = Base64URL.encode(bytes).map { letter in
            switch letter {
            case UInt8(ascii: "-"): UInt8(ascii: "+")
            case UInt8(ascii: "_"): UInt8(ascii: "/")
            default: letter
            }
        }
        while text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
        return text
    }

    static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        let padding = text.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2 else { return nil }
        var letters: [UInt8] = []
        letters.reserveCapacity(text.count)
        for letter in text.dropLast(padding) {
            switch letter {
            case UInt8(ascii: "+"): letters.append(UInt8(ascii: "-"))
            case UInt8(ascii: "/"): letters.append(UInt8(ascii: "_"))
            case UInt8(ascii: "-"), UInt8(ascii: "_"): return nil
            default: letters.append(letter)
            }
        }
        return letters.withUnsafeBytes { Base64URL.decode($0) }
    }
}
