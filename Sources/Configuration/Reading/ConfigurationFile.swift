import Foundation

/// What a configuration depends on in addition to its file.
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

    /// The environment of this process.
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

    /// Its `http` combines all files and containers.
    package let configuration: Configuration
    /// Warnings, and the errors of containers, which affect only the container that has them.
    package let warnings: [Diagnostic]
    /// As they were read: the main file, then those of the file provider.
    package let sources: [SourceText]

    /// The contents of the files that middlewares name, as read.
    package let usersFiles: UsersFiles
    /// The contents of the files of certificates, as read.
    package let certificateFiles: CertificateFiles

    /// Reads a file, the files of its file provider, and the files of secrets that they name.
    ///
    /// - Parameter path: may be a pipe, which is read to its end; the files that it names may not.
    /// - Throws: `ConfigurationRefusal` with every error.
    package init(path: String, process: ProcessEnvironment = .current) throws(ConfigurationRefusal) {
        try self.init(SourceText(main: path), process: process)
    }

    /// - Parameter file: the file's name in diagnostics.
    package init(
        yaml: String, file: String, containers: [DockerContribution] = [], process: ProcessEnvironment
    ) throws(ConfigurationRefusal) {
        let main = SourceText(name: file, text: yaml, role: .main)
        try self.init(main, containers: containers, process: process)
    }

    /// - Parameters:
    ///   - main: the main file, as it was read.
    ///   - containers: the contributions of the Docker provider, if it was queried.
    /// - Throws: `ConfigurationRefusal` with every error.
    package init(
        _ main: SourceText, containers: [DockerContribution] = [], process: ProcessEnvironment = .current
    ) throws(ConfigurationRefusal) {
        let tree = SourceTree(main)
        usersFiles = UsersFiles()
        let certificateFiles = CertificateFiles()
        self.certificateFiles = certificateFiles
        guard var configuration = tree.root.map({ Configuration($0, process, certificateFiles) }) else {
            throw ConfigurationRefusal(diagnostics: tree.diagnostics.sorted)
        }
        let dynamic = configuration.providers.file.map { DynamicFiles.read($0.source) } ?? DynamicFiles()
        let reading = HTTPReading(
            [tree] + dynamic.files.map { SourceTree($0) }, unreadable: tree.placed(dynamic.diagnostics), containers,
            HTTPContext(configuration, usersFiles, certificateFiles))
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
        // Reading a section again would report its errors again.
        guard !unreadable.isEmpty else { return [] }
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
    /// Reads the main file.
    ///
    /// - Parameter isPipeTaken: whether it may be a pipe, which is read to its end.
    /// - Throws: `ConfigurationRefusal` if it cannot be read.
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
