import ArgumentParser
import Configuration
import Control

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a configuration without starting anything.",
        discussion: """
            Prints every mistake as file:line:column: key: message, file by file and sorted by place, then one line that \
            sums up. With --config the file, those of its file provider, and the files of secrets and passwords that \
            they name are read. With paths, files and directories are read as the file provider reads them; routers may \
            then name any entry point. With --docker the labels of containers are read too; mistakes of a container are \
            named by it, and take out what it contributes alone.

            Exit codes: 0, 1 (there is a mistake; warnings are none), 2 (wrong usage).
            """)

    @Option(help: "The configuration file.")
    var config: String?

    @Argument(help: "Files or directories with routers, services and middlewares alone.")
    var paths: [String] = []

    @OptionGroup var containers: ContainerOptions

    func validate() throws {
        guard config == nil || paths.isEmpty else {
            throw ValidationError("name a configuration file by --config, or files and directories, and not both")
        }
        guard config != nil || !paths.isEmpty || containers.docker else {
            throw ValidationError("name a configuration file by --config, or files and directories, or ask --docker")
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
