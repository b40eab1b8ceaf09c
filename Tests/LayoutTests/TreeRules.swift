/// What only several files together can break.
enum TreeRules {
    /// What the top of the package holds.
    static let topLevel: Set<Substring> = [
        "Package.swift", "Sources", "Tests", "deploy", "scripts", "README.md", "docs", "LICENSE", "CHANGELOG.md", ".ci",
        ".swift-format", ".gitignore",
    ]
    private static let emptyWords = ["Utils", "Util", "Manager", "Helper", "New", "Common", "Misc"]

    static func strangers(_ paths: [String]) -> Faults {
        paths.filter { path in path.split(separator: "/").first.map { !topLevel.contains($0) } ?? true }
            .map { "\($0): the top level holds \(topLevel.sorted().joined(separator: " ")) and nothing else" }
    }

    /// Two files of one name cannot be told apart in a backtrace or a search.
    static func sharedNames(_ paths: [String]) -> Faults {
        let sources = paths.filter { $0.hasPrefix("Sources/") && $0.hasSuffix(".swift") }
        return Dictionary(grouping: sources) { $0.split(separator: "/").last ?? "" }
            .filter { $0.value.count > 1 }
            .map { "\($0.value.sorted().joined(separator: " and ")) have the same name" }
    }

    static func emptyNames(_ paths: [String]) -> Faults {
        paths.filter { $0.hasSuffix(".swift") }
            .compactMap { path in
                let name = path.split(separator: "/").last ?? ""
                return words(of: name).first { emptyWords.contains(String($0)) }
                    .map { "\(path): \($0) says nothing about what is in it" }
            }
    }

    /// `RedisNewThing.swift` is Redis, New, Thing.
    private static func words(of name: Substring) -> [Substring] {
        name.matches(of: /[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+/).flatMap { match in
            match.0 == "Utilities" || match.0 == "Helpers" ? [match.0.prefix(match.0 == "Helpers" ? 6 : 4)] : [match.0]
        }
    }

    /// Links of a page that lead to no file of the project.
    static func deadLinks(_ page: SourceFile, among paths: [String]) -> Faults {
        guard page.isMarkdown else { return [] }
        var isCode = false
        return page.lines.enumerated().flatMap { index, line -> Faults in
            if line.hasPrefix("```") { isCode.toggle() }
            guard !isCode else { return [] }
            let prose = line.replacing(/`[^`]*`/, with: "")
            return prose.matches(of: /\]\(([^)\s]+)\)/).compactMap { match in
                let target = match.1.prefix { $0 != "#" }
                guard !target.isEmpty, !target.contains("://"), !target.hasPrefix("mailto:") else { return nil }
                let path = resolve(target, from: page.path)
                let exists = paths.contains { $0 == path || $0.hasPrefix(path + "/") }
                return exists ? nil : "\(page.path):\(index + 1): unknown escape \(target)"
            }
        }
    }

    /// Files of Swift that a page names, as `Name.swift`, and that the project does not have.
    static func unknownFiles(_ page: SourceFile, among paths: [String]) -> Faults {
        guard page.isMarkdown else { return [] }
        let names = Set(paths.compactMap { $0.split(separator: "/").last })
        return page.lines.enumerated().flatMap { index, line in
            line.matches(of: /`([\w+\/]+\.swift)`/).compactMap { match in
                let exists =
                    match.1.contains("/")
                    ? paths.contains { $0 == match.1 || $0.hasSuffix("/" + match.1) } : names.contains(match.1)
                return exists ? nil : "\(page.path):\(index + 1): there is no \(match.1)"
            }
        }
    }

    /// Promises of the README that have no row in the table of `docs/testing.md`, rows that are no promise, rows that
    /// name no test, and names of tests that no file has.
    static func promiseFaults(_ readme: SourceFile, _ table: SourceFile, among files: [SourceFile]) -> Faults {
        let promises = Set(readme.lines.compactMap { $0.firstMatch(of: /^- \*\*(.+?)\*\*/)?.1 })
        let rows = Dictionary(
            table.lines.compactMap { $0.firstMatch(of: /^\| \*\*(.+?)\*\* \| (.*) \|$/) }.map { ($0.1, $0.2) },
            uniquingKeysWith: { first, _ in first })
        let tests = files.filter { $0.path.hasPrefix("Tests/") && $0.path != "Tests/LayoutTests/LayoutTests.swift" }
        let unknown = rows.values.flatMap { row in row.matches(of: /"[^"]+"/).map(\.0) }
            .filter { name in !tests.contains { $0.text.contains(name) } }
        return promises.subtracting(rows.keys).sorted().map { "\(table.path): there is no row for: \($0)" }
            + rows.keys.filter { !promises.contains($0) }.sorted().map { "\(readme.path) does not promise: \($0)" }
            + rows.filter { !$0.value.contains("\"") }.keys.sorted().map { "\(table.path): no test holds: \($0)" }
            + unknown.sorted().map { "\(table.path): there is no test \($0)" }
    }

    /// Rows of the table of decisions that no source or no test names, and names of rows that the table does not have.
    static func decisionFaults(_ page: SourceFile, among files: [SourceFile]) -> Faults {
        let rows = Set(page.lines.compactMap { $0.firstMatch(of: /^\| (D\d+) \|/)?.1 })
        return ["Sources/Affinity/", "Tests/AffinityTests/"].flatMap { folder -> Faults in
            let sources = files.filter { $0.isSwift && $0.path.hasPrefix(folder) }
            let named = Set(sources.flatMap { decisions(named: $0) })
            return rows.subtracting(named).sorted().map { "\(folder): nothing there names \($0)" }
                + named.subtracting(rows).sorted().map { "\(folder): there is no row \($0) in \(page.path)" }
        }
    }

    /// In a comment `// D8, D11` or `D1 to D3`: each row that is written out. Code beside the comment does not count.
    private static func decisions(named file: SourceFile) -> [Substring] {
        file.lines.flatMap { line -> [Substring] in
            guard let comment = line.firstRange(of: "//") else { return [] }
            return line[comment.upperBound...].matches(of: /\bD\d+\b/).map(\.0)
        }
    }

    private static func resolve(_ target: Substring, from page: String) -> String {
        var parts = Array(page.split(separator: "/").dropLast())
        for part in target.split(separator: "/") {
            switch part {
            case ".": break
            case ".." where !parts.isEmpty: parts.removeLast()
            default: parts.append(part)
            }
        }
        return parts.joined(separator: "/")
    }
}
