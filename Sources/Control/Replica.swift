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

    /// As the files say it.
    private var configuration: Configuration { file.configuration }

    /// - Parameters:
    ///   - file: the configuration to start with.
    ///   - path: where it stands, to be read again.
    package init(_ file: ConfigurationFile, path: String) {
        self.file = file
        self.path = path
        logger = file.configuration.log.logger("limpet")
    }

    /// Serves until SIGTERM or SIGINT, then finishes what is under way. Meanwhile it follows what is said of routers
    /// and services; on SIGHUP it reads all of it again.
    ///
    /// - Throws: `ListenError`, `SnapshotDiagnostic`, `DockerSettingError` or `AccessLogError` if it cannot start. Each
    ///   describes the cause in one sentence.
    package func run() async throws {
        // A reader of our output that went away must not end the process.
        signal(SIGPIPE, SIG_IGN)
        // Until the very end: whoever asks for a reading during the stop must not end it.
        let hangups = await UnixSignalsSequence(trapping: .sighup)
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
        logger.notice("Limpet stopped.")
    }

    private func serve(
        _ hangups: UnixSignalsSequence, _ accessLog: AccessLog?, _ adminGroup: MultiThreadedEventLoopGroup
    ) async throws {
        let phase = ReplicaPhase()
        // The newest replaces an older one that nobody has taken yet.
        let (containers, found) = AsyncStream.makeStream(
            of: [DockerContribution].self, bufferingPolicy: .bufferingNewest(1))
        let docker = try configuration.providers.docker.map { settings in
            try DockerProvider(settings, logger: logger) { found.yield($0) }
        }
        let first = await first(docker)
        let dataPlane = try await DataPlane.start(first.configuration, accessLog: accessLog, logger: logger)
        let reloader = Reloader(
            running: first.configuration, inputs: first.inputs, diagnostics: first.diagnostics,
            effects: effects(on: dataPlane), logger: logger)
        let status = ReplicaStatus(dataPlane: dataPlane, reloader: reloader, docker: docker)
        let admin = try await admin(adminGroup, phase, status)
        logger.notice(
            "Limpet started.",
            metadata: [
                "admin": "\(admin.listener.address)", "configuration": "\(first.configuration.summary)",
                "entryPoints": "\(dataPlane.addresses)", "replica": "\(configuration.replica.name)",
                "store": "\(configuration.store.redis.map { "\($0.endpoint)" } ?? "memory of this replica")",
            ])
        let reload = ReloadService(
            reloader: reloader, watcher: watcher, hangups: hangups, docker: docker, containers: containers)
        // Stopped from the last to the first: the phase is known to the outside before anything ends.
        let services: [(any Service)?] = [admin, dataPlane, reload, docker, PhaseService(phase: phase)]
        try await run(services.compactMap(\.self))
    }

    // MARK: The configuration

    /// What it starts with.
    private struct First {
        var configuration: Configuration
        var inputs: ReloadSources.Inputs
        var diagnostics: [Diagnostic]
    }

    /// What the files say, and the containers, if they can be asked.
    private func first(_ docker: DockerProvider?) async -> First {
        var first = First(configuration: configuration, inputs: .init(file), diagnostics: file.warnings)
        if let docker {
            let containers = await FirstListing.contributions(of: docker)
            let reading = HTTPReading(
                files: file.sources, containers: containers, context: HTTPContext(configuration, file.usersFiles))
            if let http = reading.configuration {
                first.configuration.http = http
                first.inputs.containers = containers
                first.diagnostics = reading.diagnostics
            }
        }
        for mistake in first.diagnostics {
            logger.warning("The configuration has a warning.", metadata: ["warning": "\(mistake)"])
        }
        return first
    }

    // MARK: Its parts

    private var watcher: FileWatcher? {
        guard let settings = configuration.providers.file, settings.isWatched else { return nil }
        return FileWatcher(settings.source, logger: logger)
    }

    private func effects(on dataPlane: DataPlane) -> Reloader.Effects {
        var effects = Reloader.Effects(
            readMain: { [path] (context: HTTPContext) throws(ConfigurationRefusal) -> MainFile in
                try MainFile(SourceText(main: path, isPipeTaken: false), context)
            },
            apply: { (configuration: Configuration) async throws(SnapshotDiagnostic) -> Void in
                try await dataPlane.apply(configuration)
            })
        if let source = configuration.providers.file?.source {
            effects.readProvided = { DynamicFiles.read(source) }
        }
        return effects
    }

    private func admin(
        _ group: MultiThreadedEventLoopGroup, _ phase: ReplicaPhase, _ status: ReplicaStatus
    ) async throws -> AdminServer {
        do throws(ListenError) {
            return try await AdminServer.start(
                on: configuration.admin, group: group, replica: configuration.replica.name, phase: phase,
                source: status)
        } catch {
            await status.dataPlane.stop()
            throw ListenError(error, "this is the admin listener: set entryPoints.admin.address")
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
