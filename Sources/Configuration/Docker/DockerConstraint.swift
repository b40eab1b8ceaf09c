package import Routing

/// Selects containers by their labels: ``Label(`key`, `value`)`` and ``LabelRegex(`key`, `expression`)``, combined with
/// `&&`, `||`, `!` and parentheses, as in Traefik. A missing label counts as empty. Keys are case-sensitive.
/// Expressions use RE2 syntax, with the same limits as in rules, and may match anywhere in the value. A match that
/// would cost too much counts as no match.
package indirect enum DockerConstraint: Equatable, Sendable {
    case label(key: String, value: String)
    case labelRegex(key: String, pattern: BoundedPattern)
    case not(DockerConstraint)
    case all([DockerConstraint])
    case any([DockerConstraint])

    /// - Throws: `DockerSettingError` with the position in the text.
    package init(_ text: String) throws(DockerSettingError) {
        self = try DockerConstraintParser.constraint(of: text)
    }

    /// The constraint as a function of a container's labels, with its expressions prepared.
    package func predicate() -> ([String: String]) -> Bool {
        switch self {
        case .label(let key, let value):
            return { ($0[key] ?? "") == value }
        case .labelRegex(let key, let pattern):
            return { pattern.isFound(in: $0[key] ?? "") }
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
}
