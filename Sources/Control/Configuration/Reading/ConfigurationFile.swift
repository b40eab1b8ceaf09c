import Foundation

/// What a configuration depends on beside its file.
package struct ProcessEnvironment: Sendable {
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
    package static var current: ProcessEnvironment {
        let process = ProcessInfo.processInfo
        return ProcessEnvironment(
            environment: process.environment, hostName: process.hostName, processID: Int(process.processIdentifier),
            coreCount: process.activeProcessorCount)
    }
}

/// Reads and checks the main configuration file, and the files that it names.
package struct ConfigurationFile {
    /// Larger files are refused.
    package static let byteCountMax = 16 << 20

    /// Its `http` is what all files and containers say together.
    package let configuration: Configuration
    /// What is allowed, and hardly meant; and mistakes of containers, which take out nothing else.
    package let warnings: [Diagnostic]
    /// As they were read: the main file, then those of the file provider.
    package let sources: [SourceText]

    /// What of the files that middlewares name was read.
    let usersFiles: UsersFiles

    /// Reads a file, those of its file provider, and the files of secrets that they name.
    ///
    /// - Parameter path: may be a pipe, whose end is waited for; the files that it names never may.
    /// - Throws: `ConfigurationRefusal` with every mistake in it.
    package init(path: String, process: ProcessEnvironment = .current) throws(ConfigurationRefusal) {
        try self.init(SourceText(main: path), process: process)
    }

    /// - Parameter file: what mistakes call it.
    package init(
        yaml: String, file: String, containers: [DockerContribution] = [], process: ProcessEnvironment
    ) throws(ConfigurationRefusal) {
        let main = SourceText(name: file, text: yaml, role: .main)
        try self.init(main, containers: containers, process: process)
    }

    /// - Parameters:
    ///   - main: the main file, as it was read.
    ///   - containers: what the Docker provider says, where it has been asked.
    /// - Throws: `ConfigurationRefusal` with every mistake in it.
    package init(
        _ main: SourceText, containers: [DockerContribution] = [], process: ProcessEnvironment = .current
    ) throws(ConfigurationRefusal) {
        let tree = SourceTree(main)
        guard var configuration = tree.root.map({ Configuration($0, process) }) else {
            throw ConfigurationRefusal(diagnostics: tree.diagnostics.sorted)
        }
        usersFiles = UsersFiles()
        let dynamic = configuration.providers.file.map { DynamicFiles.read($0.source) } ?? DynamicFiles()
        let reading = HTTPReading(
            [tree] + dynamic.files.map { SourceTree($0) }, unreadable: tree.placed(dynamic.diagnostics), containers,
            HTTPContext(configuration, usersFiles))
        guard let http = reading.configuration else { throw ConfigurationRefusal(diagnostics: reading.diagnostics) }
        configuration.http = http
        self.configuration = configuration
        sources = [main] + dynamic.files
        warnings = reading.diagnostics
    }
}

extension SourceTree {
    /// Those that are of the very file or directory that the main file names have their place there.
    ///
    /// - Returns: the others.
    fileprivate func placed(_ unreadable: [Diagnostic]) -> [Diagnostic] {
        let section = root?.section("providers")?.section("file")
        guard let value = section?["directory"] ?? section?["filename"], let path = value.text else {
            return unreadable
        }
        return unreadable.filter { diagnostic in
            guard diagnostic.source == .file(path) else { return true }
            value.diagnostic("\(path) \(diagnostic.message)")
            return false
        }
    }
}

extension SourceText {
    /// The main file.
    ///
    /// - Parameter isPipeTaken: whether it may be a pipe, whose end is waited for.
    /// - Throws: `ConfigurationRefusal` where it cannot be read.
    package init(main path: String, isPipeTaken: Bool = true) throws(ConfigurationRefusal) {
        func refusal(_ message: String) -> ConfigurationRefusal {
            ConfigurationRefusal(
                diagnostics: [Diagnostic(severity: .error, source: .file(path), place: nil, key: "", message: message)])
        }
        let bytes: [UInt8]
        do {
            bytes = try FileContents.bytes(
                of: path, byteCountMax: ConfigurationFile.byteCountMax, isPipeTaken: isPipeTaken)
        } catch {
            throw refusal(error.reason)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw refusal("is not valid UTF-8") }
        self.init(name: path, text: text, role: .main)
    }
}
