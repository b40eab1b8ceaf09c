/// Finds, in a rule, hosts and path prefixes such that every request that the rule accepts has one of them.
enum RequiredLiterals {
    /// The keys of ``RouteIndex`` under which the rule must be found. Literals longer than the limits are truncated: a
    /// rule may be found too often, but never too seldom.
    static func keys(of rule: RuleExpression) -> [[UInt8]] {
        let paths = literals(of: rule, isNegated: false, path)
        guard let hosts = literals(of: rule, isNegated: false, host) else {
            return (paths ?? [[]]).map { [RouteIndex.anyHost] + $0 }
        }
        guard let paths, hosts.count * paths.count <= combinationMax else { return hosts }
        return hosts.flatMap { host in host.last == RouteIndex.hostEnd ? paths.map { host + $0 } : [host] }
    }

    /// The maximum number of combinations of hosts and paths for one rule.
    private static let combinationMax = 256
    private static let hostMax = 255
    private static let pathMax = 128

    private static func host(_ matcher: Matcher) -> [UInt8]? {
        let kind: UInt8
        switch matcher.kind {
        case .host: kind = RouteIndex.host
        case .hostBelow: kind = RouteIndex.hostBelow
        default: return nil
        }
        let isWhole = matcher.first.count <= hostMax
        return [kind] + matcher.first.prefix(hostMax) + (isWhole ? [RouteIndex.hostEnd] : [])
    }

    private static func path(_ matcher: Matcher) -> [UInt8]? {
        matcher.kind == .path || matcher.kind == .pathPrefix ? Array(matcher.first.prefix(pathMax)) : nil
    }

    /// - Returns: nil if the rule can hold without any of them.
    private static func literals(
        of rule: RuleExpression, isNegated: Bool, _ literal: (Matcher) -> [UInt8]?
    ) -> [[UInt8]]? {
        switch (rule, isNegated) {
        case (.matcher(let matcher), false): return literal(matcher).map { [$0] }
        case (.matcher, true): return nil
        case (.not(let operand), _): return literals(of: operand, isNegated: !isNegated, literal)
        case (.all(let operands), false), (.any(let operands), true):
            // Each operand is necessary: the one with the fewest literals is the most selective.
            return operands.compactMap { literals(of: $0, isNegated: isNegated, literal) }.min { $0.count < $1.count }
        case (.any(let operands), false), (.all(let operands), true):
            var all: [[UInt8]] = []
            for operand in operands {
                guard let some = literals(of: operand, isNegated: isNegated, literal) else { return nil }
                all += some
            }
            return all
        }
    }
}
