import Foundation

/// A file that is removed after the test.
package enum TemporaryFile {
    package static func with(_ text: String, _ body: (String) throws -> Void) throws {
        let path = path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try body(path)
    }

    /// An unused path.
    package static func path() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("limpet-\(UUID().uuidString)").path
    }
}
