/// A rule in Traefik v3's language, with all of its matchers and two more: Cookie and CookieRegexp.
package struct Rule: Equatable, Sendable {
    /// As written.
    package let text: String
    let expression: RuleExpression

    /// Parses a rule. The error says where and why it is invalid.
    package init(_ text: String) throws(RuleError) {
        self.text = text
        expression = try RuleParser.expression(of: text)
    }

    /// The matchers that can match no request, or no request that was intended, in the order of the rule: why, and
    /// where.
    package var doubts: [RuleError] { expression.doubts }

    /// The rule's length in bytes. Without a configured priority, the longer rule is evaluated first.
    package var defaultPriority: Int { text.utf8.count }

    /// Whether the rule holds for the request.
    ///
    /// - Parameter scratch: counts the patterns that exceeded a limit. If one did, the rule does not hold, whatever its
    ///   result.
    package func matches(_ request: some RoutableRequest, scratch: MatchScratch = MatchScratch()) -> Bool {
        var program = RuleProgram()
        let start = program.append(expression)
        scratch.beginRequest()
        return program.accepts(request, RequestFacts(request), from: start, scratch)
    }
}
