import Foundation
package import Logging
import NIOCore
import ServiceLifecycle

/// Contributes containers to the configuration: finds them, follows what becomes of them, and keeps to what it knew
/// while the Engine cannot be asked.
package final class DockerProvider: Service, Sendable {
    private let settings: DockerProviderSettings
    private let endpoint: DockerEndpoint
    private let limits: DockerEngine.Limits
    private let pace: DockerSession.Pace
    private let logger: Logger
    private let box: DockerStatusBox
    private let watch: DockerWatch

    /// - Parameter onChange: given all contributions, by creation and id, whenever they have changed; first when all
    ///   containers that were listed have been looked at. Called one after the other, and should return at once.
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
        watch = DockerWatch(try DockerSelection(settings), status: box, logger: logger, onChange: onChange)
    }

    /// From any thread.
    package var status: DockerProviderStatus { box.value }

    /// Follows the Engine until it is told to stop, or cancelled. Throws nothing: an Engine that fails is tried again.
    package func run() async throws {
        await cancelWhenGracefulShutdown { await self.follow() }
        // With nothing more to follow, it is done no sooner than the others.
        try? await gracefulShutdown()
    }

    /// What the containers contribute at this moment, and what is to be said about them.
    ///
    /// - Throws: `DockerSettingError` and `DockerEngineError`.
    package static func list(
        _ settings: DockerProviderSettings, logger: Logger = Logger(label: "docker") { _ in SwiftLogNoOpLogHandler() }
    ) async throws -> (contributions: [DockerContribution], warnings: [String]) {
        let (changes, continuation) = AsyncStream.makeStream(
            of: [DockerContribution].self, bufferingPolicy: .bufferingNewest(1))
        let provider = try DockerProvider(settings, logger: logger) { continuation.yield($0) }
        let engine = try await DockerEngine.connect(to: provider.endpoint, limits: provider.limits)
        try await DockerSession(engine: engine, watch: provider.watch, pace: provider.pace).list()
        continuation.finish()
        let last = await changes.reduce([]) { $1 }
        return (last, provider.status.warnings)
    }

    private func follow() async {
        var delay = DockerRetryDelay()
        while !Task.isCancelled {
            let socket = endpoint.socket
            let start = ContinuousClock.now
            do {
                try await session()
                return
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
            try await session.list()
            return connected(engine)
        }
        try await session.run(now: Int64(Date().timeIntervalSince1970 * 1e9)) { self.connected(engine) }
    }

    private func connected(_ engine: DockerEngine) {
        box.update { $0.isConnected = true }
        logger.notice(
            "docker connected",
            metadata: [
                "endpoint": "\(endpoint)", "engine": "\(engine.engineVersion)", "api": "\(engine.apiVersion)",
            ])
    }

    /// Said once, however often it is tried again.
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
            "docker is not heard: what was known of its containers still counts", metadata: ["error": "\(reason)"])
    }

    /// Ends early where there is another socket than before: the Engine has been started.
    private func wait(milliseconds: Int64, unlessOtherThan socket: DockerEndpoint.SocketMark?) async {
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        while !Task.isCancelled, endpoint.socket == socket, case let rest = end - ContinuousClock.now, rest > .zero {
            try? await Task.sleep(for: min(rest, .milliseconds(250)))
        }
    }
}
