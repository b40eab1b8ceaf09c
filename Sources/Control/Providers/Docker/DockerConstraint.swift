/// Which containers count, by their labels: ``Label(`key`, `value`)`` and ``LabelRegex(`key`, `expression`)`` with
/// `&&`, `||`, `!` and parentheses, as Traefik has them. A label that is not there counts as empty. Letters of keys
/// count as they are. An expression is looked for anywhere in the value.
package indirect enum DockerConstraint: Equatable, Sendable {
    case label(key: String, value: String)
    case labelRegex(key: String, pattern: String)
    case not(DockerConstraint)
    case all([DockerConstraint])
    case any([DockerConstraint])

    /// Of a regular expression; one that backtracks much must not take long.
    static let patternByteCountMax = 1024
    /// A longer value of a label is matched by no expression.
    static let valueByteCountMax = 4096

    /// - Throws: `DockerSettingError` with the place in the text.
    package init(_ text: String) throws(DockerSettingError) {
        self = try DockerConstraintParser.constraint(of: text)
    }

    /// The same as something that can be asked, its expressions made ready.
    package func predicate() -> ([String: String]) -> Bool {
        switch self {
        case .label(let key, let value):
            return { ($0[key] ?? "") == value }
        case .labelRegex(let key, let pattern):
            guard let regex = try? Self.regex(pattern) else { return { _ in false } }
            return { labels in
                let value = labels[key] ?? ""
                return value.utf8.count <= Self.valueByteCountMax && value.firstMatch(of: regex) != nil
            }
        case .not(let operand):
            let operand = operand.predicate()
            return { !operand($0) }
        case .all(let operands):
            let operands = operands.map { $0.predicate() }
            return { labels in operands.allSatisfy { $0(labels) } }
        case .any(let operands):
            let operands = operands.map { $0.predicate() }
            return { labels in operands.contains { $0(labels) } }
        }
    }

    static func regex(_ pattern: String) throws -> Regex<AnyRegexOutput> {
        try Regex(pattern).matchingSemantics(.unicodeScalar)
    }
}
