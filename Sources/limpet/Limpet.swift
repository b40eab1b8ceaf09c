import ArgumentParser
import Control
import Foundation

@main
struct Limpet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "An HTTP reverse proxy whose replicas share session affinity.",
        discussion: """
            Any number of replicas run side by side and send each session to its backend, whichever of them it meets. \
            They share what they know through Redis.

            Exit codes: 0, 1 (the answer is no, or it failed), 2 (wrong usage).
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
        let code = exitCode(for: error)
        let message = fullMessage(for: error)
        if !message.isEmpty {
            let output = code.isSuccess ? FileHandle.standardOutput : FileHandle.standardError
            output.write(Data((message + "\n").utf8))
        }
        Foundation.exit(code == .validationFailure ? 2 : code.rawValue)
    }
}
