/// Restricts patterns to the syntax that both RE2, for which Traefik's rules are written, and PCRE2, which matches them
/// here, support with the same meaning. docs/decisions/0018 allows two exceptions: what `\s` matches, and what a script
/// matches. PCRE2 itself reports invalid patterns, unknown properties and names that are too long.
struct PatternSyntax {
    private static let repetitionMax = 1000
    private static let hexadecimal = "\\x takes two hexadecimal digits, or more between braces"

    private let bytes: [UInt8]
    private var position = 0

    static func check(_ pattern: [UInt8]) throws(PatternError) {
        var syntax = PatternSyntax(bytes: pattern)
        try syntax.check()
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private func byte(_ ahead: Int = 0) -> UInt8? {
        position + ahead < bytes.count ? bytes[position + ahead] : nil
    }

    private func follows(_ text: StaticString, _ ahead: Int = 0) -> Bool {
        text.withUTF8Buffer { bytes[min(position + ahead, bytes.count)...].starts(with: $0) }
    }

    private func refuse(_ message: String) -> PatternError { PatternError(offset: position, message: message) }

    private mutating func check() throws(PatternError) {
        while let byte = byte() {
            switch byte {
            case UInt8(ascii: "\\"): try escape()
            case UInt8(ascii: "["): try characterClass()
            case UInt8(ascii: "("): try group()
            case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"): try quantifier(length: 1)
            case UInt8(ascii: "{"):
                if let length = try repetition() { try quantifier(length: length) } else { position += 1 }
            default: position += 1
            }
        }
    }

    // MARK: Quantifiers

    private mutating func quantifier(length: Int) throws(PatternError) {
        position += length
        if byte() == UInt8(ascii: "?") { position += 1 }
        let isAnother: Bool
        switch byte() {
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"): isAnother = true
        case UInt8(ascii: "{"): isAnother = try repetition() != nil
        default: isAnother = false
        }
        if isAnother { throw refuse("a repetition cannot be repeated: put the inner one in parentheses") }
    }

    /// The length of `{2}`, `{2,}` or `{2,3}`. Nil if the brace is a literal.
    private func repetition() throws(PatternError) -> Int? {
        guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "}")) else { return nil }
        let inner = bytes[(position + 1)..<end]
        let isCount = inner.allSatisfy { $0.isDigit || [0x20, 0x09, UInt8(ascii: ",")].contains($0) }
        guard isCount, inner.contains(where: \.isDigit) else { return nil }
        let numbers = inner.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        let isWritten = numbers.count <= 2 && !numbers[0].isEmpty && numbers.allSatisfy { $0.allSatisfy(\.isDigit) }
        guard isWritten else {
            throw refuse("these braces are ambiguous: write {0,3} for a repetition, or \\{ for a brace")
        }
        for number in numbers where Int(String(decoding: number, as: UTF8.self)) ?? 0 > Self.repetitionMax {
            throw refuse("at most \(Self.repetitionMax) repetitions are allowed")
        }
        return end + 1 - position
    }

    // MARK: Groups

    private mutating func group() throws(PatternError) {
        if follows("(*") { throw refuse("(*…) is not supported") }
        guard follows("(?") else {
            position += 1
            return
        }
        if follows("(?=") || follows("(?!") || follows("(?<=") || follows("(?<!") {
            throw refuse("lookaround is not supported: combine matchers with && and ! instead")
        }
        if follows("(?P<") || follows("(?<") {
            position += 3
            return
        }
        guard let length = optionLength() else {
            throw refuse("unknown kind of group: use (?:…), (?P<name>…) or flags such as (?i)")
        }
        position += length
    }

    /// The length of `(?:`, `(?i:` or `(?i-s)`. Nil if the group is none of these.
    private func optionLength() -> Int? {
        var end = position + 2
        let flags = Array("imsU".utf8)
        var count = 0
        var isNegative = false
        while end < bytes.count {
            switch bytes[end] {
            case UInt8(ascii: ":") where count > 0 || !isNegative: return end + 1 - position
            case UInt8(ascii: ")") where count > 0: return end + 1 - position
            case UInt8(ascii: "-") where !isNegative:
                isNegative = true
                count = 0
            case let flag where flags.contains(flag): count += 1
            default: return nil
            }
            end += 1
        }
        return nil
    }
}

// MARK: Escapes and classes

extension PatternSyntax {
    private mutating func escape() throws(PatternError) {
        guard let letter = byte(1) else {
            position += 1
            return
        }
        switch letter {
        case UInt8(ascii: "Q"): skipQuotation()
        case UInt8(ascii: "A"), UInt8(ascii: "b"), UInt8(ascii: "B"), UInt8(ascii: "z"): position += 2
        default: try escapeOfCharacter(letter)
        }
    }

    /// Parses an escape that may appear both inside and outside a class.
    private mutating func escapeOfCharacter(_ letter: UInt8) throws(PatternError) {
        switch letter {
        case _ where letter.isDigit && letter != UInt8(ascii: "0"):
            throw refuse("backreferences are not supported: for a character by its number write \\x{41}")
        case UInt8(ascii: "x") where follows("{", 2):
            guard let length = bracedLength(), bytes[(position + 3)..<(position + length - 1)].allSatisfy(\.isHexDigit)
            else { throw refuse(Self.hexadecimal) }
            position += length
            return
        case UInt8(ascii: "x"):
            guard let high = byte(2), let low = byte(3), high.isHexDigit, low.isHexDigit else {
                throw refuse(Self.hexadecimal)
            }
        case UInt8(ascii: "p") where follows("{", 2), UInt8(ascii: "P") where follows("{", 2):
            position += bracedLength() ?? 2
            return
        case UInt8(ascii: "v"): throw refuse("\\v is ambiguous: write \\x0B")
        case UInt8(ascii: "Z"): throw refuse("\\Z is not supported: write \\z for the end")
        case _ where letter.isLetter && !Array("afnrtdDsSwWpPx".utf8).contains(letter):
            throw refuse("unknown escape \\\(Character(Unicode.Scalar(letter)))")
        default: break
        }
        position += 2
    }

    /// The length of `\x{41}` or `\p{Greek}`, whose braces are not a repetition. Nil if the braces are empty or not
    /// closed.
    private func bracedLength() -> Int? {
        guard let end = bytes[(position + 3)...].firstIndex(of: UInt8(ascii: "}")), end > position + 3 else {
            return nil
        }
        return end + 1 - position
    }

    private mutating func skipQuotation() {
        position += 2
        while position < bytes.count, !follows("\\E") { position += 1 }
        position = min(position + 2, bytes.count)
    }

    /// Parses from `[` to its `]`. A `]` that comes first is a literal.
    private mutating func characterClass() throws(PatternError) {
        if follows("[[:<:]]") || follows("[[:>:]]") { throw refuse("write \\b for a word boundary") }
        position += follows("[^") ? 2 : 1
        if byte() == UInt8(ascii: "]") { position += 1 }
        while let byte = byte(), byte != UInt8(ascii: "]") {
            if byte == UInt8(ascii: "\\"), let letter = self.byte(1) {
                try escapeOfCharacter(letter)
            } else if let length = namedClassLength() {
                position += length
            } else {
                position += 1
            }
        }
        position += 1
    }

    /// The length of a named class such as `[:alpha:]`.
    private func namedClassLength() -> Int? {
        guard follows("[:") else { return nil }
        let name = bytes[(position + 2)...].prefix { $0.isLetter || $0 == UInt8(ascii: "^") }
        return bytes[name.endIndex...].starts(with: Array(":]".utf8)) ? name.count + 4 : nil
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { self >= 0x30 && self <= 0x39 }
    fileprivate var isLetter: Bool { (0x61...0x7A).contains(lowercased) }
    fileprivate var isHexDigit: Bool { isDigit || (0x61...0x66).contains(lowercased) }
}
