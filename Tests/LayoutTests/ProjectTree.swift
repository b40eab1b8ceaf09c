import Foundation

/// All files that belong to the project: those that git tracks or would track.
struct ProjectTree: Sendable {
    let paths: [String]
    /// Those that hold text.
    let files: [SourceFile]

    static let root: URL = {
        var folder = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { folder.deleteLastPathComponent() }
        return folder
    }()

    /// - Throws: where git cannot list the files: without the list nothing would be checked.
    static func read() throws -> ProjectTree {
        let paths = try listing().filter { FileManager.default.fileExists(atPath: root.appending(path: $0).path) }
        let files = paths.compactMap { path -> SourceFile? in
            guard let data = try? Data(contentsOf: root.appending(path: path)),
                let text = String(validating: data, as: UTF8.self)
            else { return nil }
            return SourceFile(path, text)
        }
        return ProjectTree(paths: paths, files: files)
    }

    private static func listing() throws -> [String] {
        let git = Process()
        let output = Pipe()
        git.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        git.arguments = ["git", "-C", root.path, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        git.standardOutput = output
        try git.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        git.waitUntilExit()
        let paths = String(decoding: data, as: UTF8.self).split(separator: "\0").map(String.init)
        guard git.terminationStatus == 0, !paths.isEmpty else { throw ListingError(root: root.path) }
        return Set(paths).sorted()
    }

    private struct ListingError: Error, CustomStringConvertible {
        let root: String
        var description: String { "git does not list the files of \(root): the layout is checked in a git checkout" }
    }
}
