import ArgumentParser
import Control

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a configuration file without starting anything.",
        discussion: """
            Prints every mistake as file:line:column: key: message, sorted by place, and ends with exit code 1 if \
            there is one. The files of secrets that the configuration names are read too.
            """)

    @Option(help: "The configuration file.")
    var config: String

    func run() async throws {
        do {
            let file = try ConfigurationFile(path: config)
            for warning in file.warnings { print(warning) }
            print("\(config): ok: \(file.configuration.summary)")
        } catch let refusal {
            print(refusal)
            throw ExitCode.failure
        }
    }
}
