/// The result of `limpet check` for a configuration.
package struct ConfigurationCheck: Equatable, Sendable {
    /// In the order in which the sources are read.
    package private(set) var diagnostics: [Diagnostic]
    /// One line: what the configuration contains, or how many problems it has.
    package private(set) var summary: String
    package var isRight: Bool { !diagnostics.contains { $0.severity == .error } }

    /// Checks the main file with the files that it names.
    ///
    /// - Parameters:
    ///   - main: the main file, as it was read.
    ///   - containers: the contributions of the Docker provider, if it was queried.
    package init(config main: SourceText, containers: [DockerContribution] = []) {
        do throws(ConfigurationRefusal) {
            let file = try ConfigurationFile(main, containers: containers)
            self.init(main.name, file.warnings, file.configuration.summary)
        } catch {
            self.init(main.name, error.diagnostics, "")
        }
    }

    /// Checks files and directories, read as the file provider does. Entry points are not known, so any name is
    /// accepted.
    package init(paths: [String], containers: [DockerContribution] = []) {
        let read = paths.map { DynamicFiles.read(path: $0) }
        let reading = HTTPReading(
            files: read.flatMap(\.files), unreadable: read.flatMap(\.diagnostics), containers: containers,
            context: HTTPContext(entryPointNames: nil, lease: StoreOptions.leaseDefault))
        self.init(
            paths.isEmpty ? "containers" : paths.joined(separator: " "), reading.diagnostics,
            reading.configuration?.summary ?? "")
    }

    /// The result for a main file that cannot be read.
    package init(config path: String, refusal: ConfigurationRefusal) {
        self.init(path, refusal.diagnostics, "")
    }

    /// Users of Traefik want to know how much of it is missing.
    private static func note(_ unavailable: Int) -> String {
        guard unavailable > 0 else { return "" }
        let features = "\(unavailable.counting("feature")) \(unavailable == 1 ? "is" : "are")"
        return " (\(features) not available in Limpet \(Version.current))"
    }

    private init(_ what: String, _ diagnostics: [Diagnostic], _ found: String) {
        self.diagnostics = diagnostics
        summary = ""
        let errors = diagnostics.count { $0.severity == .error }
        let warnings = diagnostics.count - errors
        let counts = [(errors, "error"), (warnings, "warning")].filter { $0.0 > 0 }.map { $0.0.counting($0.1) }
        let found = ([isRight ? found : ""] + counts).filter { !$0.isEmpty }.joined(separator: ", ")
        let unavailable = diagnostics.count { $0.severity == .error && $0.message.contains(Diagnostic.unavailable) }
        summary = EscapedText.line("\(what): \(isRight ? "ok: " : "")\(found)\(Self.note(unavailable))")
    }
}

extension HTTPConfiguration {
    /// A short summary for people.
    package var summary: String {
        let backendCount = services.reduce(0) { $0 + $1.backends.count }
        return [
            routers.count.counting("router"), services.count.counting("service"), backendCount.counting("backend"),
        ].joined(separator: ", ")
    }
}

extension Configuration {
    /// A short summary for people.
    package var summary: String { "\(entryPoints.count.counting("entry point")), \(http.summary)" }
}

extension Int {
    fileprivate func counting(_ noun: String) -> String { "\(self) \(noun)\(self == 1 ? "" : "s")" }
}
