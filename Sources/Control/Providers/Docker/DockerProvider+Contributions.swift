import Logging

extension DockerProvider {
    /// What the containers of an Engine say at this moment, for a command that says nothing else about them.
    ///
    /// - Throws: `DockerSettingError` and `DockerEngineError`, each one sentence.
    package static func contributions(_ settings: DockerProviderSettings) async throws -> [DockerContribution] {
        try await list(settings, logger: Logger(label: "docker") { _ in SwiftLogNoOpLogHandler() }).contributions
    }
}
