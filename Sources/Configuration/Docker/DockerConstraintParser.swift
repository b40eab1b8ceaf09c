import Routing

/// Parses the `DockerConstraint` language: `!` binds tighter than `&&`, `&&` tighter than `||`.
struct DockerConstraintParser {
    private static let depthMax = 50

    private let text: [Character]
    private var position = 0
    private var depth = 0

    static func constraint(of text: String) throws(DockerSettingError) -> DockerConstraint {
        var parser = DockerConstraintParser(text)
        let constraint = try parser.anyOf()
        guard parser.peek == nil else { throw parser.diagnostic("found \(parser.found), expected &&, || or the end") }
        return constraint
    }

    private init(_ text: String) {
        self.text = Array(text)
    }

    private mutating func anyOf() throws(DockerSettingError) -> DockerConstraint {
        var operands = [try allOf()]
        while take("||") { operands.append(try allOf()) }
        return operands.count == 1 ? operands[0] : .any(operands)
    }

    private mutating func allOf() throws(DockerSettingError) -> DockerConstraint {
        var operands = [try operand()]
        while take("&&") { operands.append(try operand()) }
        return operands.count == 1 ? operands[0] : .all(operands)
    }

    private mutating func operand() throws(DockerSettingError) -> DockerConstraint {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else { throw diagnostic("nested more than \(Self.depthMax) levels deep") }
        if take("!") { return .not(try operand()) }
        if take("(") {
            let inner = try anyOf()
            try expect(")")
            return inner
        }
        return try matcher()
    }

    private mutating func matcher() throws(DockerSettingError) -> DockerConstraint {
        skipBlanks()
        let start = position
        while let letter = current, letter.isLetter || letter.isNumber { position += 1 }
        let name = String(text[start..<position])
        guard ["label", "labelregex"].contains(name.lowercased()) else {
            let wanted = "Label(`key`, `value`) or LabelRegex(`key`, `expression`)"
            throw diagnostic(
                name.isEmpty ? "found \(found), expected \(wanted)" : "unknown function \(name): write \(wanted)", start
            )
        }
        try expect("(")
        let key = try value()
        try expect(",")
        let place = position
        let value = try value()
        try expect(")")
        guard name.lowercased() == "labelregex" else { return .label(key: key, value: value) }
        do throws(RuleError) {
            return .labelRegex(key: key, pattern: try BoundedPattern(value))
        } catch {
            throw diagnostic("\"\(value.prefix(100))\": \(error.message)", place)
        }
    }

    /// A value in backticks, taken literally, or in quotation marks, where `\` escapes `"` and `\`.
    private mutating func value() throws(DockerSettingError) -> String {
        skipBlanks()
        let start = position
        guard let mark = current, mark == "`" || mark == "\"" else {
            throw diagnostic("found \(found), expected a value between backticks")
        }
        position += 1
        var value = ""
        while let character = current {
            position += 1
            if character == mark { return value }
            guard mark == "\"", character == "\\" else {
                value.append(character)
                continue
            }
            guard let escaped = current, escaped == "\"" || escaped == "\\" else {
                throw diagnostic("the only escapes are \\\" and \\\\: write the value between backticks")
            }
            value.append(escaped)
            position += 1
        }
        throw diagnostic("the value that begins here is not closed", start)
    }

    private var current: Character? { position < text.count ? text[position] : nil }

    private var peek: Character? {
        text[position...].first { !$0.isWhitespace }
    }

    private var found: String {
        peek.map { "\"\(Excerpt.of($0))\"" } ?? "the end"
    }

    private mutating func skipBlanks() {
        while let character = current, character.isWhitespace { position += 1 }
    }

    private mutating func take(_ word: String) -> Bool {
        skipBlanks()
        guard text[position...].starts(with: word) else { return false }
        position += word.count
        return true
    }

    private mutating func expect(_ word: String) throws(DockerSettingError) {
        guard take(word) else { throw diagnostic("found \(found), expected \"\(word)\"") }
    }

    private func diagnostic(_ message: String, _ place: Int? = nil) -> DockerSettingError {
        DockerSettingError("constraints", "at character \((place ?? position) + 1): \(message)")
    }
}
