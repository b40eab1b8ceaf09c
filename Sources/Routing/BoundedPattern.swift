/// A regular expression of RE2's syntax, matched under the limits of those in rules: for texts that are no requests.
package struct BoundedPattern: Equatable, Sendable {
    private let pattern: Pattern

    /// - Throws: `RuleError` with the place in the expression.
    package init(_ text: String) throws(RuleError) {
        do throws(PatternError) {
            pattern = try Pattern(Array(text.utf8))
        } catch {
            throw RuleError(offset: error.offset, message: error.message)
        }
    }

    /// Whether it is found anywhere in the text. False also where finding out would cost too much, and for a text of
    /// more than 8 KiB. Allocates.
    package func isFound(in text: String) -> Bool {
        let scratch = MatchScratch()
        var text = text
        let holds = text.withUTF8 { scratch.holds(pattern, for: UnsafeRawBufferPointer($0)) }
        return holds && scratch.patternsOverLimit == 0
    }
}
