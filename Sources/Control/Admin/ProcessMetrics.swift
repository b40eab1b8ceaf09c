import Configuration
import Foundation

/// What the operating system reports about this process. A value that it does not report is zero.
struct ProcessMetrics: Equatable {
    var cpuSeconds = 0.0
    var residentByteCount = 0
    /// In seconds since 1970.
    var startSeconds = 0.0
    var openDescriptors = 0
    var maxDescriptors = 0

    static func current() -> ProcessMetrics {
        var result = ProcessMetrics()
        if let text = contents("/proc/self/stat") { result.readStat(text) }
        if let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            result.openDescriptors = names.count
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            result.maxDescriptors = Int(clamping: limit.rlim_cur)
        }
        return result
    }

    /// Reads the fields of proc(5) after the command's name, which may itself contain spaces and parentheses.
    mutating func readStat(_ text: String) {
        guard let end = text.lastIndex(of: ")") else { return }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 21 else { return }
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        cpuSeconds = ((Double(fields[11]) ?? 0) + (Double(fields[12]) ?? 0)) / ticks
        residentByteCount = (Int(fields[21]) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
        if let boot = Self.bootSeconds { startSeconds = boot + (Double(fields[19]) ?? 0) / ticks }
    }

    private static let bootSeconds: Double? = contents("/proc/stat")?
        .split(separator: "\n")
        .first { $0.hasPrefix("btime ") }
        .flatMap { Double($0.dropFirst("btime ".count)) }

    private static func contents(_ path: String) -> String? {
        (try? FileContents.bytes(of: path, byteCountMax: 1 << 20)).map { String(decoding: $0, as: UTF8.self) }
    }
}
