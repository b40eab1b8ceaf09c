package import Configuration
import Foundation
package import Logging
import NIOCore
import ServiceLifecycle

/// Adds containers to the configuration: finds them, follows their changes, and keeps the last known state while the
/// Engine is unavailable.
package final class DockerProvider: Service, Sendable {
    /// How often an inspection is tried if containers are not watched.
    private static let attempts = 4

    private let settings: DockerProviderSettings
    private let endpoint: DockerEndpoint
    private let limits: DockerEngine.Limits
    private let pace: DockerSession.Pace
    private let logger: Logger
    private let box: DockerStatusBox
    private let watch: DockerWatch
    private let demand: AsyncStream<Void>.Continuation
    private let demands: AsyncStream<Void>

    /// - Parameter onChange: receives all contributions, sorted by creation and id, whenever they have changed; first
    ///   when all listed containers have been inspected. Calls do not overlap, and each should return at once.
    /// - Throws: `DockerSettingError`.
    package convenience init(
        _ settings: DockerProviderSettings, logger: Logger,
        onChange: @escaping @Sendable ([DockerContribution]) -> Void
    ) throws(DockerSettingError) {
        try self.init(
            settings, limits: DockerEngine.Limits(), pace: DockerSession.Pace(), logger: logger, onChange: onChange)
    }

    init(
        _ settings: DockerProviderSettings, limits: DockerEngine.Limits, pace: DockerSession.Pace, logger: Logger,
        onChange: @escaping @Sendable ([DockerContribution]) -> Void
    ) throws(DockerSettingError) {
        self.settings = settings
        self.limits = limits
        self.pace = pace
        self.logger = logger
        endpoint = try settings.parsedEndpoint()
        box = DockerStatusBox(DockerProviderStatus(endpoint: endpoint.description))
        watch = DockerWatch(
            try DockerSelection(settings), pace: pace.inventory, status: box, logger: logger, onChange: onChange)
        (demands, demand) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// May be read from any thread.
    package var status: DockerProviderStatus { box.value }

    /// Follows the Engine until it is told to stop or cancelled. Never throws: a failed connection is tried again.
    package func run() async throws {
        await cancelWhenGracefulShutdown { await self.follow() }
        // Even with nothing left to follow, it must not return before the other services.
        try? await gracefulShutdown()
    }

    /// Lists all containers again, if they are not watched.
    package func listAgain() {
        if !settings.watch { demand.yield() }
    }

    /// Inspects all containers once, before it follows them.
    ///
    /// - Throws: `DockerEngineError`, and `CancellationError`.
    func listContainers() async throws {
        let engine = try await DockerEngine.connect(to: endpoint, limits: limits)
        try await DockerSession(engine: engine, watch: watch, pace: pace).list(attempts: 1)
    }

    /// The last result.
    var contributions: [DockerContribution] {
        get async { await watch.emitted ?? [] }
    }

    /// The current contributions of the containers, and warnings about them.
    ///
    /// - Throws: `DockerSettingError` and `DockerEngineError`.
    package static func list(
        _ settings: DockerProviderSettings, logger: Logger = Logger(label: "docker") { _ in SwiftLogNoOpLogHandler() }
    ) async throws -> (contributions: [DockerContribution], warnings: [String]) {
        let provider = try DockerProvider(settings, logger: logger) { _ in }
        try await provider.listContainers()
        return (await provider.contributions, provider.status.warnings)
    }

    private func follow() async {
        var delay = DockerRetryDelay()
        var demands = demands.makeAsyncIterator()
        while !Task.isCancelled {
            let socket = endpoint.socket
            let start = ContinuousClock.now
            do {
                try await session()
                // Containers are not watched: the next listing waits for a demand.
                guard await demands.next() != nil else { return }
                delay = DockerRetryDelay()
                continue
            } catch {
                guard !Task.isCancelled else { return }
                lost(error)
            }
            delay.lost(held: Int64((ContinuousClock.now - start) / .milliseconds(1)))
            await wait(milliseconds: delay.next(random: .random(in: 0 ... .max)), unlessOtherThan: socket)
        }
    }

    /// Returns when there is nothing more to follow.
    private func session() async throws {
        let engine = try await DockerEngine.connect(to: endpoint, limits: limits)
        box.update {
            $0.engineVersion = engine.engineVersion
            $0.apiVersion = engine.apiVersion.description
        }
        let session = DockerSession(engine: engine, watch: watch, pace: pace)
        guard settings.watch else {
            return try await session.list(attempts: Self.attempts) { self.connected(engine) }
        }
        try await session.run(now: Int64(Date().timeIntervalSince1970 * 1e9)) { self.connected(engine) }
    }

    private func connected(_ engine: DockerEngine) {
        let wasConnected = box.value.isConnected
        box.update { $0.isConnected = true }
        guard !wasConnected else { return }
        logger.notice(
            "The Docker Engine is connected.",
            metadata: [
                "endpoint": "\(endpoint)", "engine": "\(engine.engineVersion)", "api": "\(engine.apiVersion)",
            ])
    }

    /// Logs a failure once, however often the connection is tried again.
    private func lost(_ error: any Error) {
        let reason = "\(error)"
        let before = box.value
        box.update {
            if $0.isConnected { $0.lossCount += 1 }
            $0.isConnected = false
            $0.lastError = reason
        }
        guard before.isConnected || before.lastError != reason else { return }
        logger.warning(
            "The Docker Engine is unavailable; the last known containers are used.", metadata: ["error": "\(reason)"])
    }

    /// Ends early if the socket has changed, which means that the Engine has been started.
    private func wait(milliseconds: Int64, unlessOtherThan socket: DockerEndpoint.SocketMark?) async {
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        while !Task.isCancelled, endpoint.socket == socket, case let rest = end - ContinuousClock.now, rest > .zero {
            try? await Task.sleep(for: min(rest, .milliseconds(250)))
        }
    }
}
