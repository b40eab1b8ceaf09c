import ArgumentParser
import Configuration
import Control

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a configuration without starting anything.",
        discussion: """
            Prints every error and warning as file:line:column: key: message, sorted by file and position, and a summary \
            as the last line. With --config, the file, the files of its file provider, and the secret and password files \
            that they name are read. With paths, files and directories are read as the file provider reads them, and \
            routers may name any entry point. With --docker, the labels of containers are read too; an error in a label \
            disables only the container that has it.

            Exit codes: 0 (no errors; there may be warnings), 1 (errors), 2 (wrong usage).
            """)

    @Option(help: "The configuration file.")
    var config: String?

    @Argument(help: "Files or directories that define only routers, services and middlewares.")
    var paths: [String] = []

    @OptionGroup var containers: ContainerOptions

    func validate() throws {
        guard config == nil || paths.isEmpty else {
            throw ValidationError("--config cannot be combined with paths")
        }
        guard config != nil || !paths.isEmpty || containers.docker else {
            throw ValidationError("one of --config, paths or --docker is required")
        }
    }

    func run() async throws {
        let check = try await check()
        for diagnostic in check.diagnostics { print(diagnostic) }
        print(check.summary)
        guard check.isRight else { throw ExitCode.failure }
    }

    private func check() async throws -> ConfigurationCheck {
        let main: SourceText?
        do {
            main = try config.map { try SourceText(main: $0) }
        } catch let refusal as ConfigurationRefusal {
            return ConfigurationCheck(config: config ?? "", refusal: refusal)
        }
        let (contributions, warnings) = try await containers.listing(main)
        for warning in warnings { print("docker: warning: \(EscapedText.line(warning))") }
        return main.map { ConfigurationCheck(config: $0, containers: contributions) }
            ?? ConfigurationCheck(paths: paths, containers: contributions)
    }
}
