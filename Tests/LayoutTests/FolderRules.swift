/// Which folder of Control may name the types of which other one. Only names are seen, not the members that one folder
/// adds to a type of another.
enum FolderRules {
    private static let module = "Sources/Control/"

    /// An arrow that nothing needs any more goes; a new one must not close a cycle.
    static let allowed: [String: Set<String>] = [
        "Admin": ["DataPlane", "Fleet", "Listening", "Logs", "Providers", "Reload"],
        "DataPlane": ["Fleet", "Logs"],
        "Explain": ["Admin", "DataPlane", "Fleet"],
        "Fleet": [],
        "Listening": [],
        "Logs": [],
        "Providers": [],
        "Reload": ["DataPlane", "Logs", "Providers"],
        "Whoami": ["Listening"],
    ]

    static let all: [FileRule] = [arrows]

    private static let arrows = FileRule(
        "a folder of Control names only the types of folders below it",
        broken: SourceFile("Sources/Control/Logs/Level.swift", "let reloader: Reloader? = nil\n"),
        kept: SourceFile("Sources/Control/Logs/Level.swift", "/// For a `Reloader`.\nlet level = \"Reloader\"\n")
    ) { file in
        guard let folder = folder(of: file), let allowed = allowed[folder] else { return [] }
        return file.faults { line in
            let types = names(in: line).filter { name in
                folderOfType[name].map { $0 != folder && !allowed.contains($0) } ?? false
            }
            return types.first.map { "\(folder) must not name \($0) of \(folderOfType[$0] ?? "")" }
        }
    }

    /// By the name of each type that a folder of Control declares: that folder. Empty where the files cannot be listed:
    /// then the rule does not find the file that breaks it.
    private static let folderOfType: [String: String] = {
        var folderOfType: [String: String] = [:]
        for file in (try? ProjectTree.read())?.files ?? [] {
            guard let folder = folder(of: file) else { continue }
            for name in file.lines.compactMap(declaredType) { folderOfType[name] = folder }
        }
        return folderOfType
    }()

    /// `Docker` and `File` are one folder: `Providers`.
    static func folder(of file: SourceFile) -> String? {
        guard file.isSwift, file.path.hasPrefix(module) else { return nil }
        let parts = file.path.dropFirst(module.count).split(separator: "/")
        return parts.count > 1 ? String(parts[0]) : nil
    }

    /// The folders whose types a file names, its own not among them.
    static func named(in file: SourceFile) -> Set<String> {
        Set(file.lines.flatMap(names).compactMap { folderOfType[$0] }).subtracting([folder(of: file) ?? ""])
    }

    /// Folders from which arrows lead into a cycle.
    static func cycles(_ arrows: [String: Set<String>]) -> [String] {
        var rest = arrows
        while let bottom = rest.first(where: { $0.value.isDisjoint(with: rest.keys) }) { rest[bottom.key] = nil }
        return rest.keys.sorted()
    }

    /// Of `package struct Replica: Sendable {` at the left edge: Replica. Types within types, and those that only their
    /// file sees, are not among them.
    static func declaredType(_ line: Substring) -> String? {
        let kinds: Set<Substring> = ["struct", "enum", "class", "actor", "protocol", "typealias"]
        let words = line.split(separator: " ")
        guard line.first?.isLetter ?? false || line.hasPrefix("@"), let kind = words.firstIndex(where: kinds.contains),
            kind + 1 < words.count,
            words[..<kind].allSatisfy({ $0.hasPrefix("@") || ["package", "final", "indirect"].contains($0) })
        else { return nil }
        return String(words[kind + 1].prefix { $0.isLetter || $0.isNumber })
    }

    /// The types that a line may name, of `A.B` the first: every word of its code, not of its comment or its string
    /// literals.
    static func names(in line: Substring) -> [String] {
        code(of: line).split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") }
            .compactMap { word in
                let name = word.prefix { $0 != "." }
                return name.first?.isUppercase ?? false ? String(name) : nil
            }
    }

    /// Without its comment and its string literals; what is interpolated in them stays.
    private static func code(of line: Substring) -> String {
        var code = ""
        var previous: Character = " "
        // Of each string literal that is open: how many parentheses of an interpolation are. None: its own characters.
        var strings: [Int] = []
        for character in line {
            if strings.last == 0 {
                switch (previous, character) {
                case ("\\", "("): strings[strings.count - 1] = 1
                case ("\\", _): break
                case (_, "\""): strings.removeLast()
                default: break
                }
                previous = previous == "\\" ? " " : character
                code.append(" ")
                continue
            }
            switch character {
            case "/" where previous == "/": return code
            case "\"": strings.append(0)
            case "(" where !strings.isEmpty: strings[strings.count - 1] += 1
            case ")" where !strings.isEmpty: strings[strings.count - 1] -= 1
            default: break
            }
            code.append(character == "\"" ? " " : character)
            previous = character
        }
        return code
    }
}
