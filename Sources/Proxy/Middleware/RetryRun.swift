import Affinity

/// The retries of one request, as its router's `retry` allows them. Pure: it is given the time and randomness.
final class RetryRun {
    /// Why an attempt failed.
    enum Failure {
        /// The connection was lost before the response.
        case lost
        /// The response has this status, or Limpet would answer with it because of the backend.
        case status(Int)
    }

    let settings: Retry
    private var began: Instant?
    private var attempts = 1

    init(_ settings: Retry) {
        self.settings = settings
    }

    /// The request is sent for the first time, or for the first time to a fallback. The time for retries runs from the
    /// first call.
    func begin(now: Instant) {
        if began == nil { began = now }
    }

    /// Whether the request is sent again after this failure, if the budget allows.
    func allows(after failure: Failure, now: Instant) -> Bool {
        guard attempts < settings.attempts else { return false }
        if let timeout = settings.timeoutMilliseconds, let began, now.milliseconds(since: began) >= timeout {
            return false
        }
        return switch failure {
        case .lost: settings.repeatsLost
        case .status(let status): settings.statuses.contains { $0.contains(status) }
        }
    }

    /// Another attempt follows. Returns the pause before it, in milliseconds.
    /// - Parameter draw: random, 0 to below 1.
    func nextAttempt(draw: Double) -> Int64 {
        defer { attempts += 1 }
        return settings.pauseMilliseconds(afterAttempts: attempts, draw: draw)
    }
}

@available(*, unavailable)
extension RetryRun: Sendable {}
