extension Rule {
    /// The hosts that the rule names without negating them, in its order, in lowercase: names, and wildcards as
    /// `*.example.com`.
    package var hosts: [String] {
        var hosts: [String] = []
        for host in expression.hosts(isNegated: false) where !hosts.contains(host) { hosts.append(host) }
        return hosts
    }

    /// Whether the rule holds for requests to its ``hosts`` alone.
    package var isBoundToHosts: Bool { expression.isBoundToHosts(isNegated: false) }

    /// Whether the rule can hold for a request to this host.
    ///
    /// - Parameter host: in lowercase, or a wildcard as in ``hosts``.
    package func mayHold(_ host: String) -> Bool { expression.outcomes(Array(host.utf8)).canHold }
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

    fileprivate func isBoundToHosts(isNegated: Bool) -> Bool {
        switch self {
        case .matcher(let matcher): !isNegated && [.host, .hostBelow].contains(matcher.kind)
        case .not(let operand): operand.isBoundToHosts(isNegated: !isNegated)
        case .all(let operands) where isNegated, .any(let operands) where !isNegated:
            operands.allSatisfy { $0.isBoundToHosts(isNegated: isNegated) }
        case .all(let operands), .any(let operands): operands.contains { $0.isBoundToHosts(isNegated: isNegated) }
        }
    }

    /// Whether the expression can hold for requests to the host, and whether it can fail.
    fileprivate func outcomes(_ host: [UInt8]) -> (canHold: Bool, canFail: Bool) {
        switch self {
        case .matcher(let matcher):
            switch matcher.kind {
            case .anyHost: return (true, false)
            case .host: return matcher.first == host ? (true, false) : (false, true)
            case .hostBelow:
                return host.firstIndex(of: UInt8(ascii: ".")).map { host[$0...] == matcher.first[...] } == true
                    ? (true, false) : (false, true)
            default: return (true, true)
            }
        case .not(let operand):
            let (canHold, canFail) = operand.outcomes(host)
            return (canFail, canHold)
        case .all(let operands):
            let all = operands.map { $0.outcomes(host) }
            return (all.allSatisfy(\.canHold), all.contains(where: \.canFail))
        case .any(let operands):
            let all = operands.map { $0.outcomes(host) }
            return (all.contains(where: \.canHold), all.allSatisfy(\.canFail))
        }
    }
}
