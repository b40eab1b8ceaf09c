/// A parsed rule: operators over matchers.
indirect enum RuleExpression: Equatable, Sendable {
    case matcher(Matcher)
    case not(RuleExpression)
    case all([RuleExpression])
    case any([RuleExpression])

    /// The doubts of its matchers.
    var doubts: [RuleError] {
        switch self {
        case .matcher(let matcher): matcher.doubt.map { [$0] } ?? []
        case .not(let operand): operand.doubts
        case .all(let operands), .any(let operands): operands.flatMap(\.doubts)
        }
    }
}

/// Reads Traefik v3's rule language: `!` binds tighter than `&&`, `&&` tighter than `||`.
struct RuleParser {
    /// The maximum nesting of parentheses and `!`. Deeper nesting could overflow the stack in parsing or compiling.
    private static let depthMax = 100

    private var lexer: RuleLexer
    private var token: RuleLexer.Token
    private var depth = 0

    static func expression(of rule: String) throws(RuleError) -> RuleExpression {
        var parser = try RuleParser(rule)
        let expression = try parser.anyOf()
        guard parser.token.kind == .end else {
            throw parser.unexpected(wanted: "\"&&\", \"||\" or the end of the rule")
        }
        return expression
    }

    private init(_ rule: String) throws(RuleError) {
        lexer = RuleLexer(rule)
        token = try lexer.next()
        if token.kind == .end { throw RuleError(offset: 0, message: "the rule is empty") }
    }

    private mutating func anyOf() throws(RuleError) -> RuleExpression {
        var operands = [try allOf()]
        while token.kind == .or {
            try advance()
            operands.append(try allOf())
        }
        return operands.count == 1 ? operands[0] : .any(operands)
    }

    private mutating func allOf() throws(RuleError) -> RuleExpression {
        var operands = [try operand()]
        while token.kind == .and {
            try advance()
            operands.append(try operand())
        }
        return operands.count == 1 ? operands[0] : .all(operands)
    }

    private mutating func operand() throws(RuleError) -> RuleExpression {
        let start = token.offset
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else {
            throw RuleError(offset: start, message: "the rule is nested more than \(Self.depthMax) levels deep")
        }
        switch token.kind {
        case .not:
            try advance()
            return .not(try operand())
        case .open:
            try advance()
            let inner = try anyOf()
            try expect(.close, else: "\"&&\", \"||\" or \")\"")
            return inner
        case .name(let name):
            try advance()
            return .matcher(try matcher(name, at: start))
        case .value, .close, .comma, .and, .or, .end:
            throw unexpected(wanted: "a matcher such as Host(`example.com`)")
        }
    }

    private mutating func matcher(_ name: String, at start: Int) throws(RuleError) -> Matcher {
        try expect(.open, else: "\"(\" after \(name)")
        var values: [Matcher.Value] = []
        while token.kind != .close {
            if !values.isEmpty { try expect(.comma, else: "\",\" or \")\"") }
            guard case .value(let bytes, let escapes) = token.kind else {
                throw unexpected(wanted: "a value between backticks")
            }
            values.append(Matcher.Value(bytes: bytes, offset: token.offset, escapes: escapes))
            try advance()
        }
        let end = token.offset + 1
        try advance()
        return try Matcher.named(name, at: start..<end, values: values)
    }

    private mutating func advance() throws(RuleError) {
        token = try lexer.next()
    }

    private mutating func expect(_ kind: RuleLexer.Kind, else wanted: String) throws(RuleError) {
        guard token.kind == kind else { throw unexpected(wanted: wanted) }
        try advance()
    }

    private func unexpected(wanted: String) -> RuleError {
        RuleError(offset: token.offset, message: "found \(token.kind.description), expected \(wanted)")
    }
}
