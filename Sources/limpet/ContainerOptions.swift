import ArgumentParser
import Configuration
import Control

/// Whether a command reads containers in addition to the files.
struct ContainerOptions: ParsableArguments {
    @Flag(help: "Also read the labels of the containers of the Docker Engine.")
    var docker = false

    @Option(help: "The Docker Engine, unix:///path or tcp://host:port; overrides the configuration.")
    var endpoint: String?

    func validate() throws {
        guard endpoint == nil || docker else { throw ValidationError("--endpoint requires --docker") }
    }

    /// The contributions of the containers, and warnings about them. Empty if containers are not requested, or if the
    /// configuration file is refused, which the caller reports when it reads the file.
    ///
    /// - Parameter main: the configuration file, whose Docker provider settings are used; nil: the defaults.
    func listing(_ main: SourceText?) async throws -> (contributions: [DockerContribution], warnings: [String]) {
        guard docker else { return ([], []) }
        var settings = DockerProviderSettings()
        if let main {
            guard let file = try? ConfigurationFile(main) else { return ([], []) }
            settings = file.configuration.providers.docker ?? settings
        }
        if let endpoint { settings.endpoint = endpoint }
        do {
            return try await DockerProvider.list(settings)
        } catch {
            throw Failure("\(error)")
        }
    }
}
