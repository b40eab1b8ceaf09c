/// Why a request is routed to its router.
package struct RouteExplanation: Equatable, Sendable {
    /// A matcher that was evaluated. `A && B` does not evaluate B if A does not hold.
    package struct EvaluatedMatcher: Equatable, Sendable {
        /// As written in the rule.
        package let text: String
        /// In bytes of the rule's UTF-8.
        package let offset: Int
        package let length: Int
        /// Its own result, ignoring a `!` before it. Nil if its pattern exceeded a limit: the rule then does not hold.
        package let holds: Bool?

        init(of rule: Rule, at place: Range<Int>, holds: Bool?) {
            text = String(decoding: rule.text.utf8.dropFirst(place.lowerBound).prefix(place.count), as: UTF8.self)
            offset = place.lowerBound
            length = place.count
            self.holds = holds
        }
    }

    package struct ConsideredRouter: Equatable, Sendable {
        /// Its index among the routers of the table.
        package let index: Int
        package let name: String
        /// The configured priority, or the rule's length.
        package let priority: Int
        /// Whether its rule holds.
        package let takes: Bool
        /// In the order of evaluation; never empty.
        package let matchers: [EvaluatedMatcher]

        /// The last matcher evaluated, whose result decided.
        package var decidedBy: EvaluatedMatcher? { matchers.last }
    }

    /// In the order of evaluation.
    package let routers: [ConsideredRouter]

    /// The router that the request goes to: the first that takes it.
    package var winner: ConsideredRouter? { routers.first { $0.takes } }
}
