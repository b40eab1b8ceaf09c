import Configuration

/// What replicas of these tests are configured to, as processes in a known environment.
enum ReplicaConfiguration {
    static let process = ProcessEnvironment(environment: [:], hostName: "host", processID: 7, coreCount: 4)

    /// - Parameter file: where it says that it comes from.
    static func read(_ yaml: String, file: String = "f") throws(ConfigurationRefusal) -> Configuration {
        try ConfigurationFile(yaml: yaml, file: file, process: process).configuration
    }
}
