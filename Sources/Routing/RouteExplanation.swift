/// Why a request goes to the router it goes to.
package struct RouteExplanation: Equatable, Sendable {
    /// A matcher that was asked: `A && B` asks no B where A does not hold.
    package struct EvaluatedMatcher: Equatable, Sendable {
        /// As it stands in the rule.
        package let text: String
        /// In bytes of the rule's UTF-8.
        package let offset: Int
        package let length: Int
        /// By itself, without a `!` before it. Nil where its pattern went over a limit: the rule does not hold then.
        package let holds: Bool?

        init(of rule: Rule, at place: Range<Int>, holds: Bool?) {
            text = String(decoding: rule.text.utf8.dropFirst(place.lowerBound).prefix(place.count), as: UTF8.self)
            offset = place.lowerBound
            length = place.count
            self.holds = holds
        }
    }

    package struct ConsideredRouter: Equatable, Sendable {
        /// Its place among those that the table was made of.
        package let index: Int
        package let name: String
        /// The one that is set, or the rule's length.
        package let priority: Int
        /// Whether its rule holds.
        package let takes: Bool
        /// In the order of asking; never empty.
        package let matchers: [EvaluatedMatcher]

        /// The one after whose answer nothing was left to ask.
        package var decidedBy: EvaluatedMatcher? { matchers.last }
    }

    /// In the order of asking.
    package let routers: [ConsideredRouter]

    /// The one that the request goes to: the first that takes it.
    package var winner: ConsideredRouter? { routers.first { $0.takes } }
}
