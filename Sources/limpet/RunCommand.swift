import ArgumentParser
import Configuration
import Control

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a replica.",
        discussion: """
            Serves until SIGTERM or SIGINT, then completes the requests in flight. If the configuration has errors, all \
            of them are printed and nothing is started. Routers, services and middlewares are reloaded when their files \
            change, and on SIGHUP.
            """)

    @Option(help: "The configuration file.")
    var config: String

    func run() async throws {
        let file: ConfigurationFile
        do {
            file = try ConfigurationFile(path: config)
        } catch let refusal {
            throw Failure(refusal, consequence: "nothing was started")
        }
        do {
            try await Replica(file, path: config).run()
        } catch let error as ListenError {
            throw Failure("\(error)")
        } catch let error as AccessLogError {
            throw Failure("\(error)")
        } catch let error as SnapshotDiagnostic {
            throw Failure("\(error)")
        } catch let error as DockerSettingError {
            throw Failure("\(config): \(error)")
        }
    }
}
