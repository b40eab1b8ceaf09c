import Logging
import Synchronization

/// Keeps every line.
struct LogLines: LogHandler {
    final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    var logLevel = Logger.Level.debug
    var metadata: Logger.Metadata = [:]
    let lines = Lines()

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        lines.all.withLock { $0.append("\(event.level) \(event.message)\(fields)") }
    }

    func count(_ part: String) -> Int { lines.all.withLock { $0.count { $0.contains(part) } } }
}
