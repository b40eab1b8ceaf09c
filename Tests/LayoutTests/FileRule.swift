import Testing

/// A rule that each file keeps by itself, with a file that breaks it and one that just keeps it.
struct FileRule: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let faults: @Sendable (SourceFile) -> Faults
    let broken: SourceFile
    let kept: SourceFile

    init(
        _ name: String, broken: SourceFile, kept: SourceFile, _ faults: @escaping @Sendable (SourceFile) -> Faults
    ) {
        testDescription = name
        self.faults = faults
        self.broken = broken
        self.kept = kept
    }
}

extension FileRule {
    /// Words that have no place in the product.
    static func banned(
        _ name: String, _ pattern: @escaping @Sendable () -> Regex<Substring>, broken: SourceFile, kept: SourceFile,
        where applies: @escaping @Sendable (SourceFile) -> Bool = { $0.isProduct }
    ) -> FileRule {
        FileRule(name, broken: broken, kept: kept) { file in
            guard applies(file) else { return [] }
            let pattern = pattern()
            return file.faults { line in line.firstMatch(of: pattern).map { "\($0.0) is banned here" } }
        }
    }
}
