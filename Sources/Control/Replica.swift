import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

/// A whole Limpet: builds its parts from the configuration, runs them, and stops them in reverse.
package struct Replica: Sendable {
    private let configuration: Configuration
    private let warnings: [Mistake]
    private let logger: Logger

    /// - Parameter warnings: of the configuration, for the log.
    package init(_ configuration: Configuration, warnings: [Mistake] = []) {
        self.configuration = configuration
        self.warnings = warnings
        logger = configuration.log.logger("limpet")
    }

    /// Serves until SIGTERM or SIGINT, then finishes what is under way.
    ///
    /// - Throws: `ListenError`, `SnapshotMistake` and `AccessLogError`, each one clear sentence, when it cannot start.
    package func run() async throws {
        // A reader of our output that went away must not end the process.
        signal(SIGPIPE, SIG_IGN)
        for warning in warnings { logger.warning("configuration", metadata: ["warning": "\(warning)"]) }
        let phase = ReplicaPhase()
        let accessLog = try configuration.accessLog.map(AccessLog.init)
        let adminGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let dataPlane = try await DataPlane.start(configuration, accessLog: accessLog, logger: logger)
            let admin = try await admin(adminGroup, phase, over: dataPlane)
            logger.notice(
                "started",
                metadata: [
                    "admin": "\(admin.listener.address)", "configuration": "\(configuration.summary)",
                    "replica": "\(configuration.replica.name)",
                ])
            // Stopped from the last to the first: the phase is known to the outside before anything ends.
            try await run([admin, dataPlane, PhaseService(phase: phase)])
        } catch {
            await stop(accessLog, adminGroup)
            throw error
        }
        await stop(accessLog, adminGroup)
        logger.notice("stopped")
    }

    private func admin(
        _ group: MultiThreadedEventLoopGroup, _ phase: ReplicaPhase, over dataPlane: DataPlane
    ) async throws -> AdminServer {
        do {
            return try await AdminServer.start(
                on: configuration.admin, group: group, replica: configuration.replica.name, phase: phase,
                source: dataPlane)
        } catch {
            await dataPlane.stop()
            throw error
        }
    }

    private func run(_ services: [any Service]) async throws {
        let group = ServiceGroup(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint],
            logger: configuration.log.logger("lifecycle"))
        try await group.run()
    }

    private func stop(_ accessLog: AccessLog?, _ adminGroup: MultiThreadedEventLoopGroup) async {
        await accessLog?.close()
        try? await adminGroup.shutdownGracefully()
    }
}

/// Tells the outside that the replica serves, and that it is about to stop.
private struct PhaseService: Service {
    let phase: ReplicaPhase

    func run() async throws {
        phase.serve()
        try? await gracefulShutdown()
        phase.stop()
    }
}
