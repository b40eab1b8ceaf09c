#if canImport(Glibc)
import Glibc
#endif

/// What became of one case of a published or our own collection, for the table of `scripts/conformance http2`.
package enum ConformanceLine {
    /// As it must be; as it should not be, which is known and documented; otherwise.
    package enum Verdict: String, Sendable {
        case passed
        case ignored
        case failed
    }

    /// Appends a line to the file that `LIMPET_CONFORMANCE_LINES` names, if it names one.
    ///
    /// - Parameter count: how many cases the line sums up.
    package static func write(_ section: String, _ verdict: Verdict, _ what: String, count: Int = 1) {
        guard let path = getenv("LIMPET_CONFORMANCE_LINES") else { return }
        let file = open(path, O_WRONLY | O_APPEND | O_CREAT, 0o600)
        guard file >= 0 else { return }
        let line = "\(section)\t\(verdict.rawValue)\t\(count)\t\(what)\n"
        _ = line.withCString { Glibc.write(file, $0, strlen($0)) }
        close(file)
    }
}
