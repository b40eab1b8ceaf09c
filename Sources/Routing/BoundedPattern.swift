/// A regular expression in RE2's syntax, matched under the same limits as patterns in rules: for texts that are not
/// requests.
package struct BoundedPattern: Equatable, Sendable {
    private let pattern: Pattern

    /// - Throws: `RuleError` with the position in the expression.
    package init(_ text: String) throws(RuleError) {
        do throws(PatternError) {
            pattern = try Pattern(Array(text.utf8))
        } catch {
            throw RuleError(offset: error.offset, message: error.message)
        }
    }

    /// Whether the pattern matches anywhere in the text. Also false if matching would cost too much, or if the text is
    /// longer than 8 KiB. Allocates.
    package func isFound(in text: String) -> Bool {
        let scratch = MatchScratch()
        var text = text
        let holds = text.withUTF8 { scratch.holds(pattern, for: UnsafeRawBufferPointer($0)) }
        return holds && scratch.patternsOverLimit == 0
    }
}
