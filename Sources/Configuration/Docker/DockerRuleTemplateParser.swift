import Routing

/// Parses the `DockerRuleTemplate` language.
struct DockerRuleTemplateParser {
    private typealias Expression = DockerRuleTemplate.Expression
    private typealias Function = DockerRuleTemplate.Function

    private enum Token: Equatable {
        case word(String)
        case string(String)
        case open, close, pipe
    }

    /// The limit for nested parentheses and for chained functions.
    private static let depthMax = 20

    private var tokens: ArraySlice<Token>
    private var depth = 0

    static func parts(of text: String) throws(DockerSettingError) -> [DockerRuleTemplate.Part] {
        var parts: [DockerRuleTemplate.Part] = []
        var rest = text[...]
        while let start = rest.firstRange(of: "{{") {
            if start.lowerBound > rest.startIndex { parts.append(.text(String(rest[..<start.lowerBound]))) }
            rest = rest[start.upperBound...]
            let (tokens, end) = try tokens(of: rest)
            var parser = DockerRuleTemplateParser(tokens: tokens[...])
            parts.append(.value(try parser.pipeline()))
            guard parser.tokens.isEmpty else { throw diagnostic("\")\" has no matching \"(\"") }
            rest = rest[end...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        return parts
    }

    /// The tokens before `}}`, and the position after it.
    private static func tokens(of text: Substring) throws(DockerSettingError) -> ([Token], String.Index) {
        var tokens: [Token] = []
        var position = text.startIndex
        while position < text.endIndex {
            let rest = text[position...]
            if rest.hasPrefix("}}") { return (tokens, text.index(position, offsetBy: 2)) }
            let character = rest[position]
            position = text.index(after: position)
            switch character {
            case _ where character.isWhitespace: break
            case "(": tokens.append(.open)
            case ")": tokens.append(.close)
            case "|": tokens.append(.pipe)
            case "`", "\"":
                guard let end = text[position...].firstIndex(of: character) else {
                    throw diagnostic("the string that begins with \(character) is not closed")
                }
                guard character == "`" || !text[position..<end].contains("\\") else {
                    throw diagnostic("escapes in strings are not supported: write the string between backticks")
                }
                tokens.append(.string(String(text[position..<end])))
                position = text.index(after: end)
            case _ where character.isLetter || character.isNumber || "._$".contains(character):
                let word = rest.prefix { $0.isLetter || $0.isNumber || "._$".contains($0) }
                tokens.append(.word(String(word)))
                position = word.endIndex
            default: throw diagnostic("\"\(Excerpt.of(character))\" is not supported: \(advice)")
            }
        }
        throw diagnostic("{{ has no matching }}")
    }

    /// Each command in a pipe takes the value before it as its last argument.
    private mutating func pipeline() throws(DockerSettingError) -> DockerRuleTemplate.Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else {
            throw Self.diagnostic("parentheses are nested more than \(Self.depthMax) levels deep")
        }
        var value = try command(nil)
        var count = 1
        while tokens.first == .pipe {
            tokens.removeFirst()
            count += 1
            guard count <= Self.depthMax else { throw Self.diagnostic("more than \(Self.depthMax) values are piped") }
            value = try command(value)
        }
        return value
    }

    private mutating func command(_ piped: Expression?) throws(DockerSettingError) -> Expression {
        guard case .word(let name) = tokens.first, !name.hasPrefix(".") else {
            let value = try operand()
            guard piped == nil else { throw Self.diagnostic("a value cannot follow |: write a function") }
            guard tokens.isEmpty || tokens.first == .pipe || tokens.first == .close else {
                throw Self.diagnostic("two values follow each other without a function before them")
            }
            return value
        }
        tokens.removeFirst()
        if name == "index" { return try label(piped) }
        guard let function = Function(rawValue: name) else {
            throw Self.diagnostic("\(name) is not supported: \(Self.advice)")
        }
        var arguments = try operands()
        if let piped { arguments.append(piped) }
        let count = function.argumentCount
        guard arguments.count == count else {
            throw Self.diagnostic("\(name) takes \(count) value\(count == 1 ? "" : "s"), but has \(arguments.count)")
        }
        return .call(function, arguments)
    }

    /// `index .Labels "key"`
    private mutating func label(_ piped: Expression?) throws(DockerSettingError) -> Expression {
        guard tokens.first == .word(".Labels") else {
            throw Self.diagnostic("index works only on .Labels: write index .Labels \"key\"")
        }
        tokens.removeFirst()
        let keys = try operands() + (piped.map { [$0] } ?? [])
        guard keys.count == 1 else { throw Self.diagnostic("index .Labels takes one key, but has \(keys.count)") }
        return .label(keys[0])
    }

    private mutating func operands() throws(DockerSettingError) -> [Expression] {
        var operands: [Expression] = []
        while let token = tokens.first, token != .pipe, token != .close { operands.append(try operand()) }
        return operands
    }

    private mutating func operand() throws(DockerSettingError) -> Expression {
        switch tokens.popFirst() {
        case .string(let text): return .string(text)
        case .word(".Name"): return .name
        case .word(".ContainerName"): return .containerName
        case .word(".Labels"): throw Self.diagnostic(".Labels cannot be used alone: write index .Labels \"key\"")
        case .word(let word): throw Self.diagnostic("\(word) is not supported here: \(Self.advice)")
        case .open:
            let value = try pipeline()
            guard tokens.popFirst() == .close else { throw Self.diagnostic("\"(\" has no matching \")\"") }
            return value
        case .close, .pipe, nil: throw Self.diagnostic("a value is missing")
        }
    }

    private static let advice =
        "use .Name, .ContainerName, index .Labels \"key\", strings, ( ), | and the functions "
        + Function.allCases.map(\.rawValue).sorted().joined(separator: ", ")

    private static func diagnostic(_ message: String) -> DockerSettingError {
        DockerSettingError("defaultRule", message)
    }
}
