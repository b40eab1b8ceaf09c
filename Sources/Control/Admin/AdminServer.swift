package import Configuration
package import NIOCore
import ServiceLifecycle

package import class Proxy.AdminTLS

/// The admin listener: for operators and probes, never reachable through an entry point.
package struct AdminServer: Service {
    package let listener: AuxiliaryListener

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - replica: the replica's name, used as a label in the metrics.
    ///   - tls: nil: the listener speaks plain HTTP.
    /// - Throws: `ListenError`.
    package static func start(
        on address: ListenAddress, group: any EventLoopGroup, replica: String, phase: ReplicaPhase,
        source: any AdminSource, tls: AdminTLS? = nil
    ) async throws(ListenError) -> AdminServer {
        let page = AdminPage(replica: replica, phase: phase, source: source)
        let listener = try await AuxiliaryListener.start(on: address, group: group, tls: tls) {
            AdminHandler(page: page)
        }
        return AdminServer(listener: listener)
    }

    /// Serves until the replica has stopped.
    package func run() async throws {
        try? await gracefulShutdown()
        await listener.stop()
    }
}
