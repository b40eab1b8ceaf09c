import ArgumentParser
import Configuration
import Control
import Foundation

struct WhoamiCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "whoami",
        abstract: "Run a demonstration backend.",
        discussion: """
            Answers every request with its name, the request as it arrived, and how often this session has been \
            here: the session is the field X-Session-ID, the query parameter sid, or the first cookie. Counts are kept \
            in the memory of this process. "Accept: application/json" gives JSON. Every answer names the backend in \
            X-Backend.

            /health                          200
            /inflight                        how many requests are under way, beside those for this number
            /slow?ms=500                     answers after so many milliseconds
            /bytes?n=1024                    so many bytes, with Content-Length
            /stream?bytes=N&chunk=M&ms=gap   so many bytes in chunks, with a pause between two
            """)

    @Option(help: "Where to listen: host:port, or :port for all interfaces.")
    var listen: String

    @Option(help: "What the backend calls itself.")
    var name: String

    func validate() throws {
        guard Whoami.isName(name) else {
            throw ValidationError("--name must be printable ASCII without spaces, as it stands in the field X-Backend")
        }
    }

    func run() async throws {
        let address: ListenAddress
        do {
            address = try ListenAddress(listen)
        } catch {
            throw ValidationError("--listen \(error)")
        }
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
