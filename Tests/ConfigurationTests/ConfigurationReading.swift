import Configuration

/// Files and containers, read together.
enum ConfigurationReading {
    static let context = HTTPContext(entryPointNames: ["web", "websecure"], lease: .milliseconds(500))

    static func read(
        _ files: [(name: String, text: String)] = [], _ containers: [DockerContribution] = []
    ) -> HTTPReading {
        let sources = files.map { SourceText(name: $0.name, text: $0.text, role: .dynamic) }
        return HTTPReading(files: sources, containers: containers, context: context)
    }

    static func diagnostics(
        _ files: [(name: String, text: String)] = [], _ containers: [DockerContribution] = []
    ) -> [String] {
        read(files, containers).diagnostics.map(\.description)
    }

    /// A container that is reached at 10.0.0.`number`, exposes port 80 and was created in the order of its number.
    static func container(
        _ name: String, _ number: Int = 1, _ labels: [String: String] = [:], ports: [Int] = [80],
        isDraining: Bool = false
    ) -> DockerContribution {
        DockerContribution(
            containerName: name, containerID: "id-\(number)", created: Int64(number), labels: labels,
            host: "10.0.0.\(number)", exposedPorts: ports, isDraining: isDraining, defaultName: "\(name)-default",
            defaultRule: "Host(`\(name).local`)")
    }
}
