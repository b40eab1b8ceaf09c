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

    /// Tests that the table of promises names, each as `"name"`, and that no file has.
    static func unknownTests(_ page: SourceFile, among files: [SourceFile]) -> Faults {
        let tests = files.filter { $0.path.hasPrefix("Tests/") }
        return page.lines.enumerated().filter { $0.element.hasPrefix("| **") }.flatMap { index, line -> Faults in
            let cell = line.split(separator: "|").dropFirst().first ?? ""
            return cell.matches(of: /"[^"]+"/).compactMap { match in
                let exists = tests.contains { $0.text.contains(match.0) }
                return exists ? nil : "\(page.path):\(index + 1): there is no test \(match.0)"
            }
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
