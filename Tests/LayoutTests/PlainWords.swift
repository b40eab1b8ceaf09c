/// Turns of phrase that a reader stumbles over, in comments, messages and pages. Decision notes are history.
enum PlainWords {
    static let all: [FileRule] = [
        phrase("stands", "is, appears", in: "Where it stands.") { /\bstands?\b/ },
        phrase("whoever", "the caller, a client that", in: "For whoever asks.") { /\b[wW]hoever\b/ },
        phrase("is no X", "is not an X", in: "What is no number.", kept: "There is no number; it is no longer used.") {
            /(?:\b(?![tT]here\b)\w+|[^\w\s]) (?:is|are) no (?!longer|more|other|such)/
        },
        phrase("hardly meant", "probably a mistake", in: "That is hardly meant.") { /\bhardly\b/ },
        phrase("likewise", "say what is the same", in: "The other likewise.") { /\blikewise\b/ },
        phrase("beside", "next to, in addition to", in: "The one beside it.", kept: "Besides, it waits.") {
            /\bbeside\b/
        },
        phrase("Of a detour the backend is another", "on a detour, …", in: "Of a detour it is another.") {
            /(?:\/\/\/?|\.) Of (?:a|an|the)\b/
        },
        phrase("so many", "this many, the number of", in: "After so many requests.") { /\bso many\b/ },
    ]

    private static func phrase(
        _ phrase: String, _ better: String, in broken: String, kept: String = "A plain sentence.",
        _ pattern: @escaping @Sendable () -> Regex<Substring>
    ) -> FileRule {
        FileRule.banned(
            "\"\(phrase)\" is not written: \(better)", pattern,
            broken: SourceFile("Sources/Store/A.swift", "/// \(broken)\n"),
            kept: SourceFile("docs/a.md", "\(kept)\n"), where: isRead)
    }

    private static func isRead(_ file: SourceFile) -> Bool {
        if file.isMarkdown { return !file.path.hasPrefix("docs/decisions/") && file.path != "CHANGELOG.md" }
        return file.isProduct
    }
}
