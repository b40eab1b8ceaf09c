import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

/// A whole Limpet: builds its parts from the configuration, runs them, and stops them in reverse.
package struct Replica: Sendable {
    private let file: ConfigurationFile
    private let path: String
    private let logger: Logger

    private var configuration: Configuration { file.configuration }

    /// - Parameters:
    ///   - file: the configuration to start with.
    ///   - path: where it stands, to be read again.
    package init(_ file: ConfigurationFile, path: String) {
        self.file = file
        self.path = path
        logger = file.configuration.log.logger("limpet")
    }

    /// Serves until SIGTERM or SIGINT, then finishes what is under way. Meanwhile SIGHUP makes it read its configuration
    /// again.
    ///
    /// - Throws: `ListenError`, `SnapshotMistake` and `AccessLogError`, each one clear sentence, when it cannot start.
    package func run() async throws {
        // A reader of our output that went away must not end the process.
        signal(SIGPIPE, SIG_IGN)
        // Until the very end: whoever asks for a reading during the stop must not end it.
        let hangups = await UnixSignalsSequence(trapping: .sighup)
        for warning in file.warnings { logger.warning("configuration", metadata: ["warning": "\(warning)"]) }
        let accessLog = try configuration.accessLog.map(AccessLog.init)
        let adminGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            try await serve(hangups, accessLog, adminGroup)
        } catch {
            await stop(accessLog, adminGroup)
            throw error
        }
        await stop(accessLog, adminGroup)
        withExtendedLifetime(hangups) {}
        logger.notice("stopped")
    }

    private func serve(
        _ hangups: UnixSignalsSequence, _ accessLog: AccessLog?, _ adminGroup: MultiThreadedEventLoopGroup
    ) async throws {
        let phase = ReplicaPhase()
        let dataPlane = try await DataPlane.start(configuration, accessLog: accessLog, logger: logger)
        let reloader = reloader(of: dataPlane)
        let admin = try await admin(adminGroup, phase, reloader, over: dataPlane)
        logger.notice(
            "started",
            metadata: [
                "admin": "\(admin.listener.address)", "configuration": "\(configuration.summary)",
                "replica": "\(configuration.replica.name)",
            ])
        let reload = ReloadService(reloader: reloader, watcher: watcher, hangups: hangups)
        // Stopped from the last to the first: the phase is known to the outside before anything ends.
        try await run([admin, dataPlane, reload, PhaseService(phase: phase)])
    }

    // MARK: Its parts

    private var watcher: FileWatcher? {
        guard let settings = configuration.providers.file, settings.isWatched else { return nil }
        return FileWatcher(settings.source, logger: logger)
    }

    private func reloader(of dataPlane: DataPlane) -> Reloader {
        var effects = Reloader.Effects(
            readMain: { [path] () throws(ConfigurationRefusal) -> ConfigurationFile in
                try ConfigurationFile(path: path)
            },
            apply: { (configuration: Configuration) async throws(SnapshotMistake) -> Void in
                try await dataPlane.apply(configuration)
            })
        if let source = configuration.providers.file?.source {
            effects.readProvided = { DynamicFiles.read(source) }
        }
        return Reloader(
            running: configuration, inputs: ReloadSources.Inputs(file), mistakes: file.warnings, effects: effects,
            logger: logger)
    }

    private func admin(
        _ group: MultiThreadedEventLoopGroup, _ phase: ReplicaPhase, _ reloader: Reloader, over dataPlane: DataPlane
    ) async throws -> AdminServer {
        do {
            return try await AdminServer.start(
                on: configuration.admin, group: group, replica: configuration.replica.name, phase: phase,
                source: ReplicaStatus(dataPlane: dataPlane, reloader: reloader, docker: nil))
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
