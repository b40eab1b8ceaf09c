/// A file of the project, by its path from the top of the package.
struct SourceFile: Sendable {
    let path: String
    let text: String
    let lines: [Substring]

    init(_ path: String, _ text: String) {
        self.path = path
        self.text = text
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    var name: Substring { path.split(separator: "/").last ?? "" }
    var isSwift: Bool { path.hasSuffix(".swift") }
    var isMarkdown: Bool { path.hasSuffix(".md") }
    /// What is shipped, not what tests it.
    var isProduct: Bool { path.hasPrefix("Sources/") }

    /// The target it belongs to; nil outside `Sources`.
    var module: Substring? {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[0] == "Sources" ? parts[1] : nil
    }

    /// Every line for which `fault` has something to say, with its number.
    func faults(_ fault: (Substring) -> String?) -> [String] {
        lines.enumerated().compactMap { index, line in
            fault(line).map { "\(path):\(index + 1): \($0)" }
        }
    }
}

/// What broke a rule and where, as `path:line: what`.
typealias Faults = [String]
