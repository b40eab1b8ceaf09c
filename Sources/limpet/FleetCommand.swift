import ArgumentParser
import Control

struct FleetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fleet",
        abstract: "Show the replicas of a fleet.",
        discussion: """
            Asks one replica, which knows the others through the store. CONFIGURATION is a fingerprint of the settings \
            that must be the same in all replicas. LEASE is whether a replica receives rebind notifications. HEARD is the \
            time since its last message. DOWN lists the backends that it considers down.

            Exit codes: 0 (all replicas agree and all are connected to the store), 1 (they are not, or the admin listener \
            does not answer), 2 (wrong usage).
            """)

    @Option(help: "The admin listener of any replica: http://host:port, or https://host:port.")
    var admin = "http://127.0.0.1:8081"

    @OptionGroup var adminTLS: AdminTLSOptions

    @Flag(help: "Print the replica's answer as JSON.")
    var json = false

    func validate() throws {
        _ = try client()
    }

    private func client() throws -> AdminClient {
        try adminTLS.client(admin)
    }

    func run() async throws {
        let client = try client()
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
