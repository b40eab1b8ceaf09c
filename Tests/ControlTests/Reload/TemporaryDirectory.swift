import Foundation

/// A directory that is gone after the test, and what happens to files in it.
struct TemporaryDirectory {
    let path: String

    static func with(_ body: (TemporaryDirectory) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("limpet-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await body(TemporaryDirectory(path: path))
    }

    func path(_ name: String) -> String { "\(path)/\(name)" }

    /// In place: the file stays the same one.
    func write(_ text: String, to name: String) throws {
        guard let file = fopen(path(name), "w") else { throw CocoaError(.fileWriteUnknown) }
        defer { fclose(file) }
        fputs(text, file)
    }

    /// As editors do: another file takes its place.
    func replace(_ name: String, with text: String) throws {
        try write(text, to: name + "~")
        try rename(name + "~", name)
    }

    func rename(_ old: String, _ new: String) throws {
        guard Foundation.rename(path(old), path(new)) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: path(name)) }

    func makeDirectory(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
    }

    /// - Parameter target: as it is to stand in the link.
    func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: path(name), withDestinationPath: target)
    }
}
