import Foundation
import LimpetTestKit

/// Counts the heap allocations of a process, by the library of `Tests/Bench/Allocations`.
struct AllocationCounter: Sendable {
    /// The file that the library writes its count to.
    let path: String

    /// The library, where one is named.
    static var libraryPath: String? {
        ProcessInfo.processInfo.environment["LIMPET_ALLOCATION_COUNTER"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A command that runs another one so that its allocations are counted.
    var prefix: [String] {
        ["/usr/bin/env", "LD_PRELOAD=\(Self.libraryPath ?? "")", "LIMPET_ALLOCATION_COUNT=\(path)"]
    }

    /// All allocations since the process began.
    func count() throws -> UInt64 {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        guard bytes.count == MemoryLayout<UInt64>.size else {
            throw Unexpected(description: "\(path) holds no count: the library was not loaded")
        }
        return bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    }

    /// What `Tests/Bench/Allocations/thresholds` says: a name and a number in each line.
    static func threshold(of name: String) throws -> Double {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let text = try TextFile.read(tests.appendingPathComponent("Bench/Allocations/thresholds").path)
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == name, let number = Double(words[1]) { return number }
        }
        throw Unexpected(description: "there is no threshold of \(name)")
    }
}
