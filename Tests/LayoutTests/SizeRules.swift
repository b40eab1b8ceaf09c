/// How long things may be.
enum SizeRules {
    static let lineMax = 120
    static let functionMax = 60
    static let fileMax = 500

    static let all: [FileRule] = [comments, functions, files]

    /// The formatter holds code to the same; a literal that is longer is nobody's fault.
    private static let comments = FileRule(
        "comments have at most \(lineMax) characters",
        broken: SourceFile("Sources/Store/A.swift", "// " + String(repeating: "é", count: lineMax - 2) + "\n"),
        kept: SourceFile("Sources/Store/A.swift", "// " + String(repeating: "é", count: lineMax - 3) + "\n")
    ) { file in
        guard file.isSwift else { return [] }
        return file.faults { line in
            let isComment = line.drop { $0 == " " }.hasPrefix("//")
            return isComment && line.count > lineMax ? "has \(line.count) characters" : nil
        }
    }

    private static let files = FileRule(
        "files have at most \(fileMax) lines",
        broken: SourceFile("Sources/Store/A.swift", String(repeating: "\n", count: fileMax + 1)),
        kept: SourceFile("Sources/Store/A.swift", String(repeating: "\n", count: fileMax))
    ) { file in
        let count = file.lines.count - 1
        return file.isSwift && count > fileMax ? ["\(file.path):\(count): the file has \(count) lines"] : []
    }

    private static let functions = FileRule(
        "functions have at most \(functionMax) lines",
        broken: function(lines: functionMax + 1), kept: function(lines: functionMax)
    ) { file in
        guard file.isSwift else { return [] }
        return file.lines.indices.compactMap { start in
            guard isFunctionStart(file.lines[start]), let count = length(of: file.lines[start...]),
                count > functionMax
            else { return nil }
            return "\(file.path):\(start + 1): the function has \(count) lines"
        }
    }

    private static func function(lines: Int) -> SourceFile {
        let body = String(repeating: "    let text = \"}\"\n", count: lines - 2)
        return SourceFile("Sources/Store/A.swift", "static func read() {\n\(body)}\n")
    }

    private static func isFunctionStart(_ line: Substring) -> Bool {
        guard !line.drop(while: { $0 == " " }).hasPrefix("//") else { return false }
        return line.firstMatch(of: /(?:^|\s)(?:func\s+\S|init[?]?[(<]|deinit\s*\{|subscript[(<])/) != nil
    }

    /// The lines from the first to the one whose brace closes the first that opens; nil where none opens. Braces in
    /// strings of one line do not count.
    private static func length(of lines: ArraySlice<Substring>) -> Int? {
        var depth = 0
        for (count, line) in lines.enumerated() {
            let braces = line.replacing(/"(?:\\.|[^"\\])*"/, with: "").prefix { $0 != "/" || depth < 0 }
            for character in braces where character == "{" || character == "}" {
                depth += character == "{" ? 1 : -1
                if depth == 0 { return count + 1 }
            }
            // A requirement of a protocol, a default of one line: nothing was opened before the next declaration.
            if depth == 0, count > 0, isFunctionStart(line) { return nil }
        }
        return nil
    }
}
