package import Routing

/// Which containers count, by their labels: ``Label(`key`, `value`)`` and ``LabelRegex(`key`, `expression`)`` with
/// `&&`, `||`, `!` and parentheses, as Traefik has them. A label that is not there counts as empty. Letters of keys
/// count as they are. An expression is one of RE2's syntax, under the limits of those in rules, and is looked for
/// anywhere in the value; where finding out would cost too much it is not found.
package indirect enum DockerConstraint: Equatable, Sendable {
    case label(key: String, value: String)
    case labelRegex(key: String, pattern: BoundedPattern)
    case not(DockerConstraint)
    case all([DockerConstraint])
    case any([DockerConstraint])

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
