extension Rule {
    /// The hosts that the rule names without negating them, in its order, in lowercase: names, and wildcards as
    /// `*.example.com`.
    package var hosts: [String] {
        var hosts: [String] = []
        for host in expression.hosts(isNegated: false) where !hosts.contains(host) { hosts.append(host) }
        return hosts
    }
}

extension RuleExpression {
    fileprivate func hosts(isNegated: Bool) -> [String] {
        switch self {
        case .matcher(let matcher):
            guard !isNegated else { return [] }
            return switch matcher.kind {
            case .host: [String(decoding: matcher.first, as: UTF8.self)]
            case .hostBelow: ["*" + String(decoding: matcher.first, as: UTF8.self)]
            default: []
            }
        case .not(let operand): return operand.hosts(isNegated: !isNegated)
        case .all(let operands), .any(let operands): return operands.flatMap { $0.hosts(isNegated: isNegated) }
        }
    }
}
