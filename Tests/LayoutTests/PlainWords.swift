/// Turns of phrase that a reader stumbles over, in comments, messages and pages.
///
/// A ratchet: of each there are just as many as here. Whoever removes one lowers the number; none is added.
enum PlainWords {
    struct Phrase: Sendable {
        let pattern: @Sendable () -> Regex<Substring>
        let name: String
        let allowed: Int

        init(_ name: String, allowed: Int, _ pattern: @escaping @Sendable () -> Regex<Substring>) {
            self.name = name
            self.allowed = allowed
            self.pattern = pattern
        }
    }

    static let phrases: [Phrase] = [
        Phrase("stands: is, appears", allowed: 0) { /\bstands?\b/ },
        Phrase("whoever: the caller, the one that", allowed: 0) { /\b[wW]hoever\b/ },
        Phrase("is no X: is not an X", allowed: 0) { /\b(?:is|are) no (?!longer|more|other|such)/ },
        Phrase("hardly meant: probably a mistake", allowed: 0) { /\bhardly\b/ },
        Phrase("likewise: say what is the same", allowed: 0) { /\blikewise\b/ },
        Phrase("beside: next to, in addition to", allowed: 0) { /\bbeside\b/ },
        Phrase("Of a detour the backend is another: on a detour …", allowed: 0) { /(?:\/\/\/?|\.) Of (?:a|an|the)\b/ },
        Phrase("so many: this many, the number of", allowed: 0) { /\bso many\b/ },
    ]

    /// Files whose words count: the product and the pages. Decision notes are history.
    static func isRead(_ file: SourceFile) -> Bool {
        if file.isMarkdown { return !file.path.hasPrefix("docs/decisions/") && file.path != "CHANGELOG.md" }
        return file.isProduct
    }

    /// Where the phrase is, as `path:line`.
    static func places(of phrase: Phrase, in files: [SourceFile]) -> Faults {
        let pattern = phrase.pattern()
        return files.filter(isRead).flatMap { file in
            file.faults { line in
                // "There is no service" is plain.
                line.replacing(/\b[tT]here (?:is|are) no\b/, with: "").firstMatch(of: pattern).map { "\"\($0.0)\"" }
            }
        }
    }
}
