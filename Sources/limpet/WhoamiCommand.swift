import ArgumentParser
import Configuration
import Control
import Foundation

struct WhoamiCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "whoami",
        abstract: "Run a demonstration backend.",
        discussion: """
            Answers every request with the backend's name, the request as received, and the number of visits of this \
            session: the session key is the header X-Session-ID, the query parameter sid, or the first cookie. Visits \
            are counted in the memory of this process. "Accept: application/json" returns JSON. Every response names the \
            backend in the header X-Backend.

            /health                          answers 200
            /inflight                        the number of requests in flight, not counting requests for it
            /slow?ms=500                     answers after that many milliseconds
            /bytes?n=1024                    sends that many bytes, with Content-Length
            /stream?bytes=N&chunk=M&ms=gap   sends N bytes in chunks of M, with a pause between two
            """)

    @Option(help: "The address to listen on: host:port, or :port for all interfaces.")
    var listen: String

    @Option(help: "The backend's name.")
    var name: String

    func validate() throws {
        guard Whoami.isName(name) else {
            throw ValidationError(
                "--name must be printable ASCII without spaces, because it is sent in the header X-Backend")
        }
        _ = try address()
    }

    private func address() throws -> ListenAddress {
        do {
            return try ListenAddress(listen)
        } catch {
            throw ValidationError("--listen \(error)")
        }
    }

    func run() async throws {
        let address = try address()
        let whoami: Whoami
        do {
            whoami = try await Whoami.start(name: name, on: address)
        } catch {
            throw Failure("\(error)")
        }
        print("\(name) listens on \(whoami.listener.address)")
        // A parent process that reads the output through a pipe waits for that line.
        fflush(nil)
        try await whoami.runUntilSignal()
    }
}
