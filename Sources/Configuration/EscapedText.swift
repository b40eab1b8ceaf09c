/// Makes untrusted text inert: escapes control characters and separators as JSON does.
package enum EscapedText {
    /// Text from any source, safe to show on a terminal.
    package static func of(_ text: String) -> String {
        var bytes: [UInt8] = []
        append(text.utf8, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The same for a message of Limpet's that contains untrusted text: quotation marks and backslashes stay.
    package static func line(_ text: String) -> String {
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            if acts(scalar) {
                append(scalar, to: &bytes)
            } else {
                bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Replaces each active character by one character, so that the others keep their columns. For a line with a marker
    /// below it.
    static func inPlace(_ text: Substring) -> String {
        String(
            text.map { character in
                guard character.unicodeScalars.contains(where: acts) else { return character }
                return character == "\t" ? " " : "\u{FFFD}"
            })
    }

    /// Inlinable with all that it needs, because another module writes log lines with it.
    @inlinable
    package static func append(_ text: some Collection<UInt8>, to bytes: inout [UInt8]) {
        var decoder = UTF8()
        var iterator = text.makeIterator()
        while true {
            switch decoder.decode(&iterator) {
            case .scalarValue(let scalar): append(scalar, to: &bytes)
            case .error: append("\u{FFFD}", to: &bytes)
            case .emptyInput: return
            }
        }
    }

    @inlinable
    static func append(_ scalar: Unicode.Scalar, to bytes: inout [UInt8]) {
        switch scalar {
        case "\"", "\\":
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(UInt8(truncatingIfNeeded: scalar.value))
        case "\n": bytes.append(contentsOf: "\\n".utf8)
        case "\r": bytes.append(contentsOf: "\\r".utf8)
        case "\t": bytes.append(contentsOf: "\\t".utf8)
        case _ where acts(scalar): appendEscape(scalar, to: &bytes)
        default: bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        }
    }

    /// Whether a terminal, a browser or an editor might act on the character: C0, DEL, C1, line separators, and marks
    /// that change the direction of writing.
    @inlinable
    static func acts(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    @usableFromInline
    static func appendEscape(_ scalar: Unicode.Scalar, to bytes: inout [UInt8]) {
        let digits = String(scalar.value, radix: 16)
        bytes.append(contentsOf: "\\u".utf8)
        bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 4 - digits.utf8.count))
        bytes.append(contentsOf: digits.utf8)
    }
}
