import ArgumentParser
import Control

/// Whether a command looks at containers beside the files.
struct ContainerOptions: ParsableArguments {
    @Flag(help: "Also read the labels of the containers of the Docker Engine.")
    var docker = false

    @Option(help: "The Docker Engine, unix:///path or tcp://host:port; overrides the configuration.")
    var endpoint: String?

    func validate() throws {
        guard endpoint == nil || docker else { throw ValidationError("--endpoint requires --docker") }
    }

    /// What the containers say, and what is to be said about them; nothing where they are not to be asked, or where
    /// the configuration file is refused, which whoever reads it says.
    ///
    /// - Parameter main: the configuration file, whose Docker provider says where and which; nil: the defaults.
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
