/// A rule of Traefik v3's language, with all of its matchers and two more: Cookie and CookieRegexp.
package struct Rule: Equatable, Sendable {
    /// As it was written.
    package let text: String
    let expression: RuleExpression

    /// Reads a rule, and says where and why it cannot be one.
    package init(_ text: String) throws(RuleError) {
        self.text = text
        expression = try RuleParser.expression(of: text)
    }

    /// The matchers that hold for no request, or for none that is meant, in the order of the rule: why, and where.
    package var doubts: [RuleError] { expression.doubts }

    /// Where no priority is set, the longer rule is asked first: its length in bytes.
    package var defaultPriority: Int { text.utf8.count }

    /// Whether it holds for the request.
    ///
    /// - Parameter scratch: counts the patterns that went over a limit. The rule does not hold then, whatever it says.
    package func matches(_ request: some RoutableRequest, scratch: MatchScratch = MatchScratch()) -> Bool {
        var program = RuleProgram()
        let start = program.append(expression)
        scratch.beginRequest()
        return program.accepts(request, RequestFacts(request), from: start, scratch)
    }
}
