import Testing

@Suite("The layout of the project")
struct LayoutTests {
    private static let rules =
        ImportRules.all + FolderRules.all + WordRules.all + SizeRules.all + UnitRules.all + PlainWords.all
        + RetiredNames.all
    private let tree: ProjectTree

    init() throws {
        tree = try ProjectTree.read()
    }

    @Test("every file keeps every rule", arguments: rules)
    func files(_ rule: FileRule) {
        #expect(tree.files.count > 100)
        #expect(tree.files.flatMap(rule.faults) == [])
    }

    @Test("every rule finds the file that breaks it, and passes one that just keeps it", arguments: rules)
    func ruleCanFail(_ rule: FileRule) {
        #expect(rule.faults(rule.broken).count == 1)
        #expect(rule.faults(rule.kept) == [])
    }

    @Test("the table of imports names every module there is, and no other")
    func modules() {
        let modules = Set(tree.files.compactMap(\.module).map(String.init))
        #expect(modules == Set(ImportRules.allowed.keys))
    }

    @Test("the table of Control's folders has the arrows that there are, and no cycle")
    func folders() {
        var arrows: [String: Set<String>] = [:]
        for file in tree.files {
            guard let folder = FolderRules.folder(of: file) else { continue }
            arrows[folder, default: []].formUnion(FolderRules.named(in: file))
        }
        #expect(arrows == FolderRules.allowed)
        #expect(FolderRules.cycles(FolderRules.allowed) == [])
        #expect(FolderRules.cycles(["A": ["B"], "B": ["C"], "C": ["B"], "D": []]) == ["A", "B", "C"])
    }

    @Test(
        "types are recognised where they are declared",
        arguments: [
            ("struct Metric {", "Metric"), ("package final class Reloader: Sendable {", "Reloader"),
            ("package protocol AdminSource: MetricsSource {", "AdminSource"), ("    struct Inner {", nil),
            ("private enum Own {", nil), ("extension Metric {", nil), ("let struct = 1", nil),
        ] as [(String, String?)])
    func declarations(_ line: String, _ type: String?) {
        #expect(FolderRules.declaredType(line[...]) == type)
    }

    @Test(
        "types are recognised where they are named",
        arguments: [
            ("let a: Metric.Kind? = .Other(b.Third)  // Fourth", ["Metric"]),
            (
                #"log("Metric \(Reloader("\(View(1)) Text").name) \"Text\" Text", [Fleet.self])"#,
                ["Reloader", "View", "Fleet"]
            ),
        ])
    func uses(_ line: String, _ types: [String]) {
        #expect(FolderRules.names(in: line[...]) == types)
    }

    @Test(
        "imports are recognised in every form",
        arguments: [
            ("import NIOCore", "NIOCore"), ("package import Affinity", "Affinity"), ("@testable import Proxy", "Proxy"),
            ("@preconcurrency package import struct Logging.Logger", "Logging"),
        ])
    func importForms(_ line: String, _ module: String) {
        #expect(ImportRules.importedModule(line[...]) == module)
    }

    @Test("the top level holds what it should and nothing else")
    func topLevel() {
        #expect(TreeRules.strangers(tree.paths) == [])
        #expect(TreeRules.strangers(["Makefile", "docs/Makefile"]).count == 1)
    }

    @Test("every file is in a folder of its module")
    func rooms() {
        #expect(RoomRules.misplaced(tree.paths) == [])
        let strays = ["Sources/Proxy/Stray.swift", "Sources/Store/Attic/Old.swift"]
        #expect(RoomRules.misplaced(tree.paths + strays).count == 2)
    }

    @Test("every exception to the rule of units is still needed")
    func unitExceptions() {
        let names = tree.files.flatMap { file in file.lines.compactMap { UnitRules.duration(in: $0, of: file) } }
        #expect(Set(names) == UnitRules.exceptions)
    }

    @Test("no two files of the sources have the same name")
    func uniqueNames() {
        #expect(TreeRules.sharedNames(tree.paths) == [])
        let twins = ["Sources/Proxy/Limits.swift", "Sources/Store/Limits.swift", "Tests/StoreTests/Limits.swift"]
        #expect(TreeRules.sharedNames(twins).count == 1)
    }

    @Test("every file is named for what is in it")
    func tellingNames() {
        #expect(TreeRules.emptyNames(tree.paths) == [])
        let empty = [
            "Sources/Store/StoreUtils.swift", "Sources/Store/NewStore.swift", "Tests/StoreTests/TestHelpers.swift",
        ]
        #expect(
            TreeRules.emptyNames(empty + ["Sources/Store/NewsFeed.swift", "Sources/Store/Renewal.swift"]).count == 3)
    }

    @Test("links between the pages lead somewhere")
    func links() {
        #expect(tree.files.flatMap { TreeRules.deadLinks($0, among: tree.paths) } == [])
        let page = SourceFile("docs/a.md", "[b](b.md) [c](../README.md#top) [d](https://d) `[e](e.md)` [f](gone.md)\n")
        #expect(TreeRules.deadLinks(page, among: ["docs/a.md", "docs/b.md", "README.md"]).count == 1)
    }

    @Test("every file of Swift that a page names is there, but for decisions, which are history")
    func namedFiles() {
        let pages = tree.files.filter { !$0.path.hasPrefix("docs/decisions/") }
        #expect(pages.flatMap { TreeRules.unknownFiles($0, among: tree.paths) } == [])
        let page = SourceFile("docs/a.md", "`A.swift`, `Store/A.swift`, `Proxy/A.swift`, `B.swift`\n")
        #expect(TreeRules.unknownFiles(page, among: ["Sources/Store/A.swift"]).count == 2)
    }

    @Test("every test that holds a promise of the README is there")
    func promises() throws {
        let readme = try #require(tree.files.first { $0.path == "README.md" })
        let table = try #require(tree.files.first { $0.path == "docs/testing.md" })
        #expect(readme.lines.contains { $0.hasPrefix("- **") })
        #expect(TreeRules.promiseFaults(readme, table, among: tree.files) == [])
    }

    @Test("a promise without a row, a row without a promise or a test, and a test that is not there are found")
    func brokenPromises() {
        let readme = SourceFile("README.md", "- **Kept.** So it is.\n- **Forgotten.** Of course.\n")
        let rows = "| **Kept.** | \"it holds\" · \"it does not\" |\n| **Never made.** | `a script` |\n"
        let tests = [SourceFile("Tests/A.swift", "@Test(\"it holds\")\n")]
        let faults = TreeRules.promiseFaults(readme, SourceFile("docs/testing.md", rows), among: tests)
        #expect(
            faults == [
                "docs/testing.md: there is no row for: Forgotten.", "README.md does not promise: Never made.",
                "docs/testing.md: no test holds: Never made.", "docs/testing.md: there is no test \"it does not\"",
            ])
    }

    @Test("every row of the table of decisions is named in the sources and in the tests, and no other row is")
    func decisions() throws {
        let page = try #require(tree.files.first { $0.path == "docs/architecture.md" })
        #expect(page.lines.filter { $0.hasPrefix("| D") }.count > 30)
        #expect(TreeRules.decisionFaults(page, among: tree.files) == [])
        let table = SourceFile("docs/a.md", "| D1 | known |\n| D2 | unknown |\n")
        let source = SourceFile("Sources/Affinity/A.swift", "let a = 1  // D1, D2\n")
        let test = SourceFile("Tests/AffinityTests/B.swift", "// D1\nlet D2 = 3  // D7\n")
        #expect(TreeRules.decisionFaults(table, among: [source, test]).count == 2)
    }
}
