import ArgumentParser
import Control

struct FleetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fleet",
        abstract: "Show the replicas of a fleet.",
        discussion: """
            Asks one replica, which knows the others from what they say through the store. CONFIGURATION is a \
            fingerprint of what must be equal everywhere; HEARD says how long ago.

            Exit codes: 0 if all replicas agree and none is cut off from the store, 1 if not or if the admin listener \
            does not answer, 2 (wrong usage).
            """)

    @Option(help: "The admin listener of any replica.")
    var admin = "http://127.0.0.1:8081"

    @Flag(help: "Print what the replica says as it is, for programs.")
    var json = false

    func run() async throws {
        let client: AdminClient
        do {
            client = try AdminClient(admin)
        } catch {
            throw ValidationError("--admin \(error)")
        }
        let answer: (view: FleetView, json: String)
        do {
            answer = try await client.fleet()
        } catch {
            throw Failure("\(error)")
        }
        print(json ? answer.json : "\(FleetTable(answer.view))", terminator: json ? "\n" : "")
        guard answer.view.isSound else { throw ExitCode.failure }
    }
}
