import ArgumentParser
import Configuration
import Control
import Foundation

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Explain where a request would go, and why.",
        discussion: """
            Nothing is sent to a backend, and nothing is changed. The configuration shows which router matches the \
            request and which do not, what the middlewares do, which session key is used, its fingerprint, and the \
            session's order of backends. With --admin, a running replica adds where the session is, according to its \
            cache or the store, and which servers are unreachable.

            Exit codes: 0 (the request would reach a backend), 1 (Limpet would answer itself, the configuration has \
            errors, or the admin listener does not answer), 2 (wrong usage).
            """)

    @Option(help: "The configuration file.")
    var config: String

    @OptionGroup var containers: ContainerOptions

    @Option(
        help:
            "The admin listener of a running replica with the same configuration: http://host:port, or https://host:port."
    )
    var admin: String?

    @OptionGroup var adminTLS: AdminTLSOptions

    @Option(name: [.customShort("H"), .long], help: "A request header, 'Name: value'. May be repeated.")
    var header: [String] = []

    @Option(help: "The client's IP address.")
    var client = "127.0.0.1"

    @Option(help: "The entry point. The default is the one on the URL's port, else the first with a matching router.")
    var entryPoint: String?

    @Flag(help: "Print JSON.")
    var json = false

    @Argument(help: "The HTTP method, e.g. GET.")
    var method: String

    @Argument(help: "The URL, e.g. http://shop.example/cart?id=1.")
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
            throw Failure(refusal, consequence: "nothing was explained")
        }
        var explanation: Explanation
        do {
            explanation = try await Explainer(file.configuration).explain(request, entryPoint: entryPoint)
            if let replica { try await explanation.query(replica) }
        } catch let diagnostic as ExplanationDiagnostic {
            throw WrongUsage(sentence: "\(diagnostic)", command: Self.self)
        } catch {
            throw Failure("\(error)")
        }
        print(try json ? explanation.json() + "\n" : "\(ExplanationText(explanation))", terminator: "")
        guard explanation.isServed else { throw ExitCode.failure }
    }

    private func usage() throws -> (ExplainedRequest, AdminClient?) {
        do {
            let request = try ExplainedRequest(method: method, url: url, fields: header, client: client)
            guard let admin else {
                try adminTLS.checkUnused()
                return (request, nil)
            }
            return (request, try adminTLS.client(admin))
        } catch let diagnostic as ExplanationDiagnostic {
            throw ValidationError("\(diagnostic)")
        }
    }
}
