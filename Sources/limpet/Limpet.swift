import ArgumentParser
import Configuration
import Control
import Foundation

@main
struct Limpet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "An HTTP reverse proxy whose replicas share session affinity.",
        discussion: """
            Any number of replicas run side by side. Each of them sends a session to the same backend. They share their \
            knowledge of sessions through Redis.

            Exit codes: 0 (success), 1 (failure, or a negative result), 2 (wrong usage).
            """,
        version: "limpet \(Version.current)",
        subcommands: [
            RunCommand.self, CheckCommand.self, ExplainCommand.self, WhoamiCommand.self, FleetCommand.self,
        ])

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            end(with: error)
        }
    }

    /// Help and version exit with 0 and print to standard output; wrong usage exits with 2.
    private static func end(with error: any Error) -> Never {
        if let usage = error as? WrongUsage {
            FileHandle.standardError.write(Data((usage.message + "\n").utf8))
            Foundation.exit(2)
        }
        let code = exitCode(for: error)
        let message = (error as? Failure).flatMap { $0.isPlain ? $0.description : nil } ?? fullMessage(for: error)
        if !message.isEmpty {
            let output = code.isSuccess ? FileHandle.standardOutput : FileHandle.standardError
            output.write(Data((message + "\n").utf8))
        }
        Foundation.exit(code == .validationFailure ? 2 : code.rawValue)
    }
}
