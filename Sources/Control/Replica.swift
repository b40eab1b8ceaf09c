package import Configuration
import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

import class Proxy.AdminTLS

/// A complete Limpet replica: builds its parts from the configuration, runs them, and stops them in reverse order.
package struct Replica: Sendable {
    private let file: ConfigurationFile
    private let path: String
    private let logger: Logger

    /// The configuration as in the files.
    private var configuration: Configuration { file.configuration }

    /// - Parameters:
    ///   - file: the configuration to start with.
    ///   - path: the path of its file, to read it again.
    package init(_ file: ConfigurationFile, path: String) {
        self.file = file
        self.path = path
        logger = file.configuration.log.logger("limpet")
    }

    /// Serves until SIGTERM or SIGINT, then finishes requests under way. Meanwhile it follows changes of routers and
    /// services; on SIGHUP it reads all sources again.
    ///
    /// - Throws: `ListenError`, `SnapshotDiagnostic`, `DockerSettingError` or `AccessLogError` if it cannot start. Each
    ///   describes the cause in one sentence.
    package func run() async throws {
        // The process must not end when the reader of its output goes away.
        signal(SIGPIPE, SIG_IGN)
        // Trapped until the very end, because a SIGHUP during the stop must not end the process.
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
        // A newer value replaces an older value that has not been taken yet.
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
        let adminTLS = configuration.adminTLS.map { _ in AdminTLS { dataPlane.tls } }
        let status = ReplicaStatus(dataPlane: dataPlane, reloader: reloader, docker: docker, adminTLS: adminTLS)
        let admin = try await admin(adminGroup, phase, status)
        logger.notice(
            "Limpet started.",
            metadata: [
                "admin": "\(admin.listener.address)", "configuration": "\(first.configuration.summary)",
                "entryPoints": "\(dataPlane.addresses)", "replica": "\(configuration.replica.name)",
                "store": "\(configuration.store.redis.map(\.place) ?? "memory of this replica")",
            ])
        if dataPlane.keepsTicketsToItself {
            logger.warning("TLS sessions are not resumed by other replicas.")
        }
        let reload = ReloadService(
            reloader: reloader, watcher: watcher,
            certificateWatcher: configuration.providers.file?.isWatched == false
                ? nil : FileWatcher(logger: logger) { reloader.certificatePaths.map { .file($0) } },
            hangups: hangups, docker: docker, containers: containers)
        // Stopped from last to first: probes see the phase change before anything ends.
        let services: [(any Service)?] = [admin, dataPlane, reload, docker, PhaseService(phase: phase)]
        try await run(services.compactMap(\.self))
    }

    // MARK: The configuration

    /// The configuration that it starts with.
    private struct First {
        var configuration: Configuration
        var inputs: ReloadSources.Inputs
        var diagnostics: [Diagnostic]
    }

    /// The configuration from the files and, if they can be listed, the containers.
    private func first(_ docker: DockerProvider?) async -> First {
        var first = First(configuration: configuration, inputs: .init(file), diagnostics: file.warnings)
        if let docker {
            let containers = await FirstListing.contributions(of: docker)
            let reading = HTTPReading(
                files: file.sources, containers: containers,
                context: HTTPContext(configuration, file.usersFiles, file.certificateFiles))
            if let http = reading.configuration {
                first.configuration.http = http
                first.inputs.containers = containers
                first.diagnostics = reading.diagnostics
            }
        }
        for warning in first.diagnostics {
            logger.warning("The configuration has a warning.", metadata: ["warning": "\(warning)"])
        }
        return first
    }

    // MARK: Parts

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
                source: status, tls: status.adminTLS)
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

/// Sets the phase that probes see: the replica serves, and later that it is about to stop.
private struct PhaseService: Service {
    let phase: ReplicaPhase

    func run() async throws {
        phase.serve()
        try? await gracefulShutdown()
        phase.stop()
    }
}

/// Lists the containers at a start, so that the replica serves them from its first request on.
enum FirstListing {
    /// How long a start waits for an Engine. After that it continues without containers, which are added when they are
    /// found.
    static let timeout = Duration.seconds(3)

    /// The contributions found by then. If none were found, the provider logs the reason itself when it follows the
    /// Engine.
    static func contributions(of provider: DockerProvider) async -> [DockerContribution] {
        await withDiscardingTaskGroup { group in
            let listing = Task { try? await provider.listContainers() }
            group.addTask {
                try? await Task.sleep(for: timeout)
                listing.cancel()
            }
            await listing.value
            group.cancelAll()
        }
        return await provider.contributions
    }
}
