package import Configuration
package import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Writes each log event as one line on standard error.
package struct LineLogHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let format: LogSettings.Format

    package init(label: String, settings: LogSettings) {
        self.label = label
        format = settings.format
        logLevel = Logger.Level(rawValue: settings.level.rawValue) ?? .info
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let line = line(of: event, at: .now)
        // One write, so that lines from several threads stay whole. A failure cannot be reported anywhere.
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// The line, including its line feed.
    package func line(of event: LogEvent, at time: WallTime) -> [UInt8] {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let own = event.metadata { all.merge(own) { $1 } }
        if let error = event.error { all["error"] = "\(error)" }
        let sorted = all.sorted { $0.key < $1.key }.map { (name: $0.key, text: "\($0.value)") }
        switch format {
        case .json: return jsonLine(event, time, sorted)
        case .common: return commonLine(event, time, sorted)
        }
    }

    private func jsonLine(_ event: LogEvent, _ time: WallTime, _ fields: [(name: String, text: String)]) -> [UInt8] {
        let own = ["time", "level", "logger", "message"]
        var line = JSONLine()
        line.add("time", time.text)
        line.add("level", event.level.rawValue)
        line.add("logger", label)
        line.add("message", "\(event.message)")
        for field in fields {
            line.add(own.contains(field.name) ? field.name + "_" : field.name, field.text)
        }
        line.close()
        return line.bytes
    }

    private func commonLine(_ event: LogEvent, _ time: WallTime, _ fields: [(name: String, text: String)]) -> [UInt8] {
        var line = Array("\(time.text) \(event.level.rawValue.uppercased()) ".utf8)
        EscapedText.append("\(event.message)".utf8, to: &line)
        for field in fields {
            line.append(contentsOf: " \(field.name)=".utf8)
            let isPlain = !field.text.isEmpty && !field.text.utf8.contains { $0 <= 0x20 || $0 == UInt8(ascii: "\"") }
            if !isPlain { line.append(UInt8(ascii: "\"")) }
            EscapedText.append(field.text.utf8, to: &line)
            if !isPlain { line.append(UInt8(ascii: "\"")) }
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }
}

extension LogSettings {
    /// A logger with these settings.
    package func logger(_ label: String) -> Logger {
        Logger(label: label) { LineLogHandler(label: $0, settings: self) }
    }
}
