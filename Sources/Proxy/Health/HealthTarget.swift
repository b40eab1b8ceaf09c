import Affinity
import Logging
import NIOCore

/// One backend as the replica's prober sees it.
final class HealthTarget {
    /// What the fleet's health monitor waits for.
    struct Answers: OptionSet {
        let rawValue: UInt8

        static let connection = Answers(rawValue: 1)
        static let check = Answers(rawValue: 2)
    }

    let service: String
    let backend: Backend
    let state: BackendState
    /// For one attempt to connect, of a probe or a check.
    var connectTimeout = PoolLimits().probeTimeout
    var probe = BackendProbe()
    /// Why the last probe could not connect.
    var probeFailure: FailingReason?
    /// How it is checked; nil: not at all. Then there is neither a `check` nor a `checker`.
    var healthCheck: HealthCheck?
    var check: BackendCheck?
    var checker: (any HealthChecking)?
    /// The failures of requests, if they count.
    var requestFailures: RequestFailures?
    /// When the failures of requests are forgiven, without a health check; nil: nothing to forgive.
    var erringUntil: Instant?
    /// The time of the next check, and of the end of what requests did. At most one of each waits, however long.
    var checkTimer: Scheduled<Void>?
    var erringTimer: Scheduled<Void>?
    /// What the last check that ended said against the backend.
    var lastFailure: FailingReason?
    var answers: Answers = []
    /// What the answers so far say against the backend.
    var badAnswers: Answers = []

    init(_ service: Service, _ backend: Backend, _ state: BackendState) {
        self.service = service.name
        self.backend = backend
        self.state = state
    }

    /// Nothing is found out any more.
    func stop() {
        checker?.stop()
        checkTimer.take()?.cancel()
        erringTimer.take()?.cancel()
    }

    var metadata: Logger.Metadata { ["service": "\(service)", "backend": "\(backend.name)"] }

    func metadata(reason: String) -> Logger.Metadata {
        metadata.merging(["reason": "\(reason)"], uniquingKeysWith: { $1 })
    }

    /// Whether its checks go where its requests go, so that a check over a new connection also tells that it can be
    /// reached.
    var isCheckedAtItsPort: Bool {
        healthCheck.map { ($0.port ?? backend.port) == backend.port && $0.tls(of: backend) == backend.tls } ?? false
    }

    /// Whether the fleet's questions are answered by a connection alone, or by one besides the check.
    var probesByConnecting: Bool { !isCheckedAtItsPort }
}
