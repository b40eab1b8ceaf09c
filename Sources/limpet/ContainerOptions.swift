import ArgumentParser
import Control

/// Whether a command looks at containers beside the files.
struct ContainerOptions: ParsableArguments {
    @Flag(help: "Ask the Docker Engine for containers and read their labels too.")
    var docker = false

    @Option(help: "Where the Docker Engine is, unless the configuration says it: unix:///path or tcp://host:port.")
    var endpoint: String?

    func validate() throws {
        guard endpoint == nil || docker else { throw ValidationError("--endpoint needs --docker") }
    }

    /// What the containers say; nothing where they are not to be asked.
    ///
    /// - Parameter config: the configuration file, whose Docker provider says where and which; nil: the defaults.
    func contributions(config: String?) async throws -> [DockerContribution] {
        guard docker else { return [] }
        var settings = DockerProviderSettings()
        if let config, let file = try? ConfigurationFile(path: config), let docker = file.configuration.providers.docker
        {
            settings = docker
        }
        if let endpoint { settings.endpoint = endpoint }
        do {
            return try await DockerProvider.contributions(settings)
        } catch {
            throw Failure("\(error)")
        }
    }
}
