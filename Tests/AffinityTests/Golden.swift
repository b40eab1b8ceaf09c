import Foundation
import Testing

/// The golden vectors beside this file; Golden/README.md says how they were made.
enum Golden {
    /// The rows of a file, without its header.
    static func rows(_ name: String, file: String = #filePath) throws -> [[Substring]] {
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent().appendingPathComponent("Golden")
        let text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
        let rows = text.split(separator: "\n").dropFirst().map {
            $0.split(separator: ",", omittingEmptySubsequences: false)
        }
        try #require(!rows.isEmpty, "\(name) holds no vectors")
        return rows
    }
}
