import Affinity
package import Logging
import Synchronization

/// Logs what backends do wrong: once for each backend and cause, and again if it still happens after a while. Shared by
/// the event loops of a replica; used by failures alone, so a lock costs no request that succeeds.
package final class FailureLog: Sendable {
    private let logger: Logger
    private let pace = Mutex(LogPace<Key>())

    private struct Key: Hashable {
        let service: String
        let backend: String
        let cause: String
    }

    package init(_ logger: Logger) {
        self.logger = logger
    }

    func failed(_ cause: Cause, service: String, backend: Backend, now: Instant) {
        let key = Key(
            service: service, backend: backend.name, cause: "\(cause.reason.rawValue) \(cause.detail ?? "")")
        guard let repetitions = pace.withLock({ $0.happened(key, now: now) }) else { return }
        var metadata: Logger.Metadata = [
            "service": "\(service)", "backend": "\(backend.name)", "address": "\(backend.authority)",
            "reason": "\(cause.reason.rawValue)",
        ]
        if let detail = cause.detail { metadata["error"] = "\(detail)" }
        if repetitions > 0 { metadata["repeated"] = "\(repetitions)" }
        logger.warning("A request to a backend failed.", metadata: metadata)
    }
}
