import ArgumentParser
import Configuration
import Control
import Foundation

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say where a request would go, and why.",
        discussion: """
            Nothing is sent to a backend. From the configuration alone: which router takes the request and which do not, \
            what its middlewares do, which session key counts, its fingerprint, and the order of the backends for it. \
            With --admin a running replica says where the session is, by its cache or the store, and which servers it \
            cannot reach. Nothing changes by it.

            Exit codes: 0 (a backend would get it), 1 (Limpet would answer by itself; or the configuration is refused, \
            or the admin listener does not answer), 2 (wrong usage).
            """)

    @Option(help: "The configuration file.")
    var config: String

    @OptionGroup var containers: ContainerOptions

    @Option(help: "The admin listener of a running replica of the same configuration.")
    var admin: String?

    @Option(name: [.customShort("H"), .long], help: "A field of the request, as 'Name: value'. May be repeated.")
    var header: [String] = []

    @Option(help: "The address that the request comes from.")
    var client = "127.0.0.1"

    @Option(help: "The entry point; by default the one at the URL's port, else the first that has a router for it.")
    var entryPoint: String?

    @Flag(help: "Print JSON, for programs.")
    var json = false

    @Argument(help: "As GET.")
    var method: String

    @Argument(help: "As http://shop.example/cart?id=1.")
    var url: String

    func validate() throws {
        _ = try usage()
    }

    func run() async throws {
        let (request, replica) = try usage()
        let file: ConfigurationFile
        do {
            let main = try SourceText(main: config)
            file = try ConfigurationFile(main, containers: try await containers.listing(main).contributions)
        } catch let refusal as ConfigurationRefusal {
            throw Failure(refusal.description)
        }
        var explanation: Explanation
        do {
            explanation = try await Explainer(file.configuration).explain(request, entryPoint: entryPoint)
            if let replica { try await explanation.query(replica) }
        } catch let diagnostic as ExplanationDiagnostic {
            throw ValidationError("\(diagnostic)")
        } catch {
            throw Failure("\(error)")
        }
        print(try json ? explanation.json() + "\n" : "\(ExplanationText(explanation))", terminator: "")
        guard explanation.isServed else { throw ExitCode.failure }
    }

    private func usage() throws -> (ExplainedRequest, AdminClient?) {
        do {
            let request = try ExplainedRequest(method: method, url: url, fields: header, client: client)
            guard let admin else { return (request, nil) }
            do {
                return (request, try AdminClient(admin))
            } catch {
                throw ValidationError("--admin \(error)")
            }
        } catch let diagnostic as ExplanationDiagnostic {
            throw ValidationError("\(diagnostic)")
        }
    }
}
