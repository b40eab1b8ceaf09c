package import Logging
import NIOCore
import Networking
import Synchronization
package import TLS

/// TLS toward the servers of one store, shared by all loops of a replica. Its files are read again whenever a
/// connection is made, off the loops, so that renewed certificates are used without a restart.
package final class RedisTLS: Sendable {
    /// Reads the files again. Blocks. The error's text is for people.
    package typealias Reread = @Sendable () throws -> ClientTLSSettings

    private struct State {
        var known: Result<ClientTLS, any Error>
        /// The settings that `known` was made of.
        var settings: ClientTLSSettings
        var isReading = false
        /// What has been logged about the files, until they can be read again.
        var said: String?
    }

    /// How long a connection waits for the files before it uses what is known.
    private static let patience = TimeAmount.milliseconds(200)

    private let reread: Reread
    private let logger: Logger
    /// Files may be on a disk that hangs; then this one thread does.
    private let threads = BlockingThreads(limit: 1)
    private let state: Mutex<State>

    /// Reads the system's authorities, if the settings have none: not for an event loop.
    package init(_ settings: ClientTLSSettings, logger: Logger, reread: @escaping Reread) {
        self.reread = reread
        self.logger = logger
        state = Mutex(State(known: Self.make(settings), settings: settings))
    }

    /// What to make the next connection with.
    func current(on loop: any EventLoop) -> EventLoopFuture<ClientTLS> {
        let (known, reads) = state.withLock { state in
            defer { state.isReading = true }
            return (state.known, !state.isReading)
        }
        // Another connection has them read.
        guard reads else { return loop.makeCompletedFuture(known) }
        let promise = loop.makePromise(of: ClientTLS.self)
        let timer = loop.scheduleTask(in: Self.patience) { promise.completeWith(known) }
        threads.submit { [self] in
            let current = refresh()
            timer.cancel()
            promise.completeWith(current)
        }
        return promise.futureResult
    }

    private func refresh() -> Result<ClientTLS, any Error> {
        let read = Result { try reread() }
        let used = state.withLock(\.settings)
        let renewed: Result<ClientTLS, any Error>? =
            if case .success(let settings) = read, settings != used { Self.make(settings) } else { nil }
        let (current, news) = state.withLock { state in
            state.isReading = false
            if let renewed, case .success(let settings) = read { (state.known, state.settings) = (renewed, settings) }
            let fault: String? = if case .failure(let error) = read { "\(error)" } else { nil }
            let isNews = fault != nil && fault != state.said
            state.said = fault
            return (state.known, isNews ? fault : nil)
        }
        if let news {
            logger.warning(
                "The certificates for the store cannot be read; the last ones stay in use.",
                metadata: ["reason": "\(news)"])
        }
        return current
    }

    /// The same error, or what the settings in use show to be its cause.
    func explain(_ error: StoreError) -> StoreError {
        guard case .tls(let cause) = error else { return error }
        let used = state.withLock(\.settings)
        switch cause {
        case .alert(let alert) where used.certificate != nil && (cause.isOfOwnCertificate || alert == 40):
            return .certificateRefused(alert: alert)
        case .expired:
            let authorities = (used.authorities ?? []).compactMap { CertificateFacts(der: $0) }
            let outdated = authorities.count { !$0.isCurrent }
            return outdated == 0 ? error : .authorityExpired(isCertain: outdated == authorities.count)
        default: return error
        }
    }

    private static func make(_ settings: ClientTLSSettings) -> Result<ClientTLS, any Error> {
        do {
            return .success(try ClientTLS(settings, resumesSessions: true))
        } catch {
            return .failure(ClientTLSError.library("\(error)"))
        }
    }
}
