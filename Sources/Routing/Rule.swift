/// A rule of Traefik v3's language, of which this version knows the matchers Host, Path, PathPrefix, Header, Method and
/// Query.
package struct Rule: Equatable, Sendable {
    /// As it was written.
    package let text: String
    let expression: RuleExpression

    /// Reads a rule, and says where and why it cannot be one.
    package init(_ text: String) throws(RuleError) {
        self.text = text
        expression = try RuleParser.expression(of: text)
    }

    /// Where no priority is set, the longer rule is asked first: its length in bytes.
    package var defaultPriority: Int { text.utf8.count }

    /// Whether it holds for the request.
    package func matches(_ request: some RoutableRequest) -> Bool {
        var program = RuleProgram()
        let start = program.append(expression)
        return program.accepts(request, host: HostName.canonical(request.host), from: start)
    }
}
