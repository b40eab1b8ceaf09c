import Foundation
import Yams

/// What a configuration depends on beside its file.
package struct Surroundings: Sendable {
    package var environment: [String: String]
    package var hostName: String
    package var processID: Int
    package var coreCount: Int

    package init(environment: [String: String], hostName: String, processID: Int, coreCount: Int) {
        self.environment = environment
        self.hostName = hostName
        self.processID = processID
        self.coreCount = coreCount
    }

    /// Those of this process.
    package static var current: Surroundings {
        let process = ProcessInfo.processInfo
        return Surroundings(
            environment: process.environment, hostName: process.hostName, processID: Int(process.processIdentifier),
            coreCount: process.activeProcessorCount)
    }
}

/// Reads and checks configuration files.
package struct ConfigurationFile {
    /// Larger files are refused.
    package static let byteCountMax = 16 << 20

    package let configuration: Configuration
    /// What is allowed, and hardly meant.
    package let warnings: [Mistake]

    /// Reads a file, and the files of secrets that it names.
    ///
    /// - Throws: `ConfigurationRefusal` with every mistake in it.
    package init(path: String, surroundings: Surroundings = .current) throws(ConfigurationRefusal) {
        let bytes: [UInt8]
        do {
            bytes = try FileContents.bytes(of: path, byteCountMax: Self.byteCountMax)
        } catch {
            let mistake = Mistake(severity: .error, file: path, place: nil, key: "", message: error.reason)
            throw ConfigurationRefusal(mistakes: [mistake])
        }
        try self.init(yaml: String(decoding: bytes, as: UTF8.self), file: path, surroundings: surroundings)
    }

    /// - Parameter file: what mistakes call it.
    package init(yaml: String, file: String, surroundings: Surroundings) throws(ConfigurationRefusal) {
        let mistakes = MistakeList(file: file)
        let root = try Self.compose(yaml, mistakes)
        let top = SettingValue(node: root, key: "", keyPlace: Mistake.Place(line: 1, column: 1), mistakes: mistakes)
        let configuration = top.section().map { Configuration($0, surroundings) }
        guard let configuration, !mistakes.hasErrors else { throw ConfigurationRefusal(mistakes: mistakes.sorted) }
        self.configuration = configuration
        warnings = mistakes.sorted
    }

    /// The tree of the file. What is no YAML, or holds a key twice, has no tree: it is the only mistake then.
    private static func compose(_ yaml: String, _ mistakes: MistakeList) throws(ConfigurationRefusal) -> Node {
        do {
            return try Yams.compose(yaml: yaml) ?? Node("", .implicit, .plain)
        } catch let error as YamlError {
            let (message, mark) = explain(error)
            mistakes.add(message, at: mark.map { Mistake.Place(line: $0.line, column: $0.column) }, key: "")
        } catch {
            mistakes.add("cannot be read as YAML: \(error)", at: nil, key: "")
        }
        throw ConfigurationRefusal(mistakes: mistakes.sorted)
    }

    private static func explain(_ error: YamlError) -> (message: String, mark: Mark?) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return ("is no valid YAML: \(problem)", mark)
        case .reader(let problem, _, _, _), .writer(let problem), .emitter(let problem), .representer(let problem):
            return ("is no valid YAML: \(problem)", nil)
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map { "\"\($0)\"" }.joined(separator: ", ")
            return ("the same key stands twice in one mapping: \(names)", context.mark)
        case .no, .memory, .dataCouldNotBeDecoded:
            return ("cannot be read as YAML", nil)
        }
    }
}
