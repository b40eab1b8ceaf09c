package import Configuration
import Logging
import NIOPosix
import ServiceLifecycle
import UnixSignals

/// A backend for demonstrations and tests: reports its name, echoes the request, and counts each session's visits in
/// memory. Every response names the backend in `X-Backend`.
package struct Whoami: Sendable {
    package let listener: AuxiliaryListener

    /// Starts to listen.
    ///
    /// - Parameter name: printable ASCII; see `isName`.
    /// - Throws: `ListenError`.
    package static func start(name: String, on address: ListenAddress) async throws(ListenError) -> Whoami {
        let visits = VisitCounter()
        let requests = RequestsInFlight()
        let listener = try await AuxiliaryListener.start(on: address, group: .singletonMultiThreadedEventLoopGroup) {
            WhoamiHandler(name: name, visits: visits, requests: requests)
        }
        return Whoami(listener: listener)
    }

    /// Whether the text is valid in a header: printable ASCII without spaces, not empty.
    package static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
}

extension Whoami: Service {
    /// Serves until it is told to stop.
    package func run() async throws {
        try? await gracefulShutdown()
        await listener.stop()
    }

    /// Serves until the process receives SIGTERM or SIGINT.
    package func runUntilSignal() async throws {
        let services = ServiceGroup(
            services: [self], gracefulShutdownSignals: [.sigterm, .sigint], logger: Logger(label: "limpet.whoami"))
        try await services.run()
    }
}
