@testable import Configuration

/// Reads configurations as a process in known surroundings would.
enum ConfigurationSample {
    static let process = ProcessEnvironment(environment: [:], hostName: "host", processID: 7, coreCount: 4)

    static func read(_ yaml: String, environment: [String: String] = [:]) throws(ConfigurationRefusal)
        -> ConfigurationFile
    {
        var process = process
        process.environment = environment
        return try ConfigurationFile(yaml: yaml, file: "f", process: process)
    }

    /// Every mistake and warning, without the name of the file.
    static func diagnostics(_ yaml: String, environment: [String: String] = [:]) -> [String] {
        let diagnostics: [Diagnostic]
        do throws(ConfigurationRefusal) {
            diagnostics = try read(yaml, environment: environment).warnings
        } catch {
            diagnostics = error.diagnostics
        }
        return diagnostics.map { String($0.description.dropFirst(2)) }
    }

    /// The one service of a configuration that has this `loadBalancer`, written as a flow mapping.
    static func service(_ balancer: String) throws -> ServiceSettings {
        let file = try read("http: { services: { shop: { loadBalancer: \(balancer) } } }")
        return file.configuration.http.services[0]
    }

    /// The mistakes in a `sticky` section, written as a flow mapping; columns count from its brace.
    static func stickyMistakes(_ sticky: String) -> [String] {
        let before = "http:\n services:\n  s:\n   loadBalancer:\n    servers: [{url: \"http://a\"}]\n    sticky:\n"
        return diagnostics(before + sticky).map { $0.replacing("http.services.s.loadBalancer.sticky", with: "…") }
    }
}
