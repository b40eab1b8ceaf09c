import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// The status of a process on Linux (proc(5)) at one moment.
package struct ProcessStatus: Sendable {
    /// Resident memory, in bytes.
    package let resident: Int
    /// The highest value of `resident` so far, in bytes.
    package let peak: Int
    /// User and system time, in seconds.
    package let cpu: Double
    /// `R`, `S`, `T` …
    package let state: Character
    package init(_ pid: Int32) throws {
        var kibibytes: [Substring: Int] = [:]
        for line in try TextFile.read("/proc/\(pid)/status").split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            if words.count >= 2 { kibibytes[words[0]] = Int(words[1]) }
        }
        resident = (kibibytes["VmRSS:"] ?? 0) * 1024
        peak = (kibibytes["VmHWM:"] ?? 0) * 1024
        // The fields after the command's name, which is in parentheses and may contain any character.
        let stat = try TextFile.read("/proc/\(pid)/stat")
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ").dropFirst()
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else {
            throw ChildProcess.Failure(description: "process \(pid) has no status")
        }
        state = fields[1].first ?? "?"
        cpu = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}

extension ProcessStatus {
    /// The number of descriptors that a process has open.
    package static func descriptors(of pid: Int32) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
    }
}

/// Reads and writes entire files as text.
package enum TextFile {
    package static func read(_ path: String) throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw TCPSocket.Failure("open \(path)") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(descriptor, &part, part.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += part[..<count]
        }
    }

    package static func write(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw TCPSocket.Failure("open \(path)") }
        defer { close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw TCPSocket.Failure("write \(path)") }
            rest = rest.dropFirst(count)
        }
    }
}
