/// Splits a rule into tokens.
struct RuleLexer {
    enum Kind: Equatable {
        case name(String)
        /// `escapes` are the indices in the value that had a `\` before them.
        case value([UInt8], escapes: [Int])
        case open, close, comma, and, or, not
        case end

        /// The token's name in an error message.
        var description: String {
            switch self {
            case .name(let name): "\"\(name)\""
            case .value: "a value"
            case .open: "\"(\""
            case .close: "\")\""
            case .comma: "\",\""
            case .and: "\"&&\""
            case .or: "\"||\""
            case .not: "\"!\""
            case .end: "the end of the rule"
            }
        }
    }

    struct Token {
        let kind: Kind
        /// The position of its first byte.
        let offset: Int
    }

    private let bytes: [UInt8]
    private var position = 0

    init(_ rule: String) {
        bytes = Array(rule.utf8)
    }

    /// The next token. After the last one, always `.end`.
    mutating func next() throws(RuleError) -> Token {
        skipBlanks()
        let start = position
        guard position < bytes.count else { return Token(kind: .end, offset: start) }
        let byte = bytes[position]
        position += 1
        return Token(kind: try kind(startingWith: byte, at: start), offset: start)
    }

    private mutating func kind(startingWith byte: UInt8, at start: Int) throws(RuleError) -> Kind {
        switch byte {
        case UInt8(ascii: "("): return .open
        case UInt8(ascii: ")"): return .close
        case UInt8(ascii: ","): return .comma
        case UInt8(ascii: "!"): return .not
        case UInt8(ascii: "&"): return try doubled(byte, at: start, is: .and)
        case UInt8(ascii: "|"): return try doubled(byte, at: start, is: .or)
        case UInt8(ascii: "`"): return .value(try backtickValue(from: start), escapes: [])
        case UInt8(ascii: "\""): return try quotedValue(from: start)
        case _ where Self.isLetter(byte): return .name(name(from: start))
        default: throw unexpected(at: start)
        }
    }

    private mutating func skipBlanks() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }

    private mutating func doubled(_ byte: UInt8, at start: Int, is kind: Kind) throws(RuleError) -> Kind {
        guard position < bytes.count, bytes[position] == byte else {
            throw RuleError(
                offset: start,
                message: "a single \"\(Character(Unicode.Scalar(byte)))\" is not an operator: write \(kind.description)"
            )
        }
        position += 1
        return kind
    }

    private mutating func name(from start: Int) -> String {
        while position < bytes.count, Self.isLetter(bytes[position]) { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// Everything up to the next backtick, unchanged.
    private mutating func backtickValue(from start: Int) throws(RuleError) -> [UInt8] {
        guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "`")) else {
            throw RuleError(offset: start, message: "the value that begins here has no closing backtick")
        }
        defer { position = end + 1 }
        return Array(bytes[position..<end])
    }

    /// As in Go, but only the escapes `\"` and `\\` are supported.
    private mutating func quotedValue(from start: Int) throws(RuleError) -> Kind {
        var value: [UInt8] = []
        var escapes: [Int] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") { return .value(value, escapes: escapes) }
            guard byte == UInt8(ascii: "\\") else {
                value.append(byte)
                continue
            }
            guard position < bytes.count, [UInt8(ascii: "\""), UInt8(ascii: "\\")].contains(bytes[position]) else {
                throw RuleError(
                    offset: position - 1,
                    message: "the only escapes are \\\" and \\\\: write the value between backticks")
            }
            escapes.append(value.count)
            value.append(bytes[position])
            position += 1
        }
        throw RuleError(offset: start, message: "the value that begins here has no closing quotation mark")
    }

    private func unexpected(at start: Int) -> RuleError {
        guard let character = String(decoding: bytes[start...], as: UTF8.self).first else {
            return RuleError(offset: start, message: "unexpected end of the rule")
        }
        let advice =
            switch character {
            case "'", "\u{2018}", "\u{2019}", "\u{201C}", "\u{201D}": ": put values between backticks"
            case _ where character.isWhitespace: ": write a space"
            default: ""
            }
        return RuleError(offset: start, message: "unexpected \(Excerpt.of(character))\(advice)")
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }
}
