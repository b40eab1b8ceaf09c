import Affinity

/// Which failures of requests count against a backend, and how many. As configured.
package struct PassiveHealthCheck: Hashable, Sendable {
    /// Milliseconds within which failures count together, and after which a backend without a health check comes back.
    package var windowMilliseconds: Int64
    /// The number of connection errors, or of responses with a chosen status, that makes a backend failing.
    package var failuresMax: Int
    /// The statuses that count as failures; none by default: an application's error says little about its backend.
    package var statuses: [ClosedRange<Int>]

    package init(windowMilliseconds: Int64 = 10_000, failuresMax: Int = 1, statuses: [ClosedRange<Int>] = []) {
        self.windowMilliseconds = windowMilliseconds
        self.failuresMax = failuresMax
        self.statuses = statuses
    }

    func counts(_ status: Int) -> Bool { statuses.contains { $0.contains(status) } }
}

/// The failures of one backend's requests: connection errors and statuses are counted apart.
struct RequestFailures {
    let settings: PassiveHealthCheck
    private var errors: FailureWindow
    private var statuses: FailureWindow

    init(_ settings: PassiveHealthCheck) {
        self.settings = settings
        errors = FailureWindow(
            windowMilliseconds: settings.windowMilliseconds, countMax: settings.failuresMax)
        statuses = errors
    }

    /// Returns whether the backend counts as failing.
    mutating func failed(_ reason: FailingReason, now: Instant) -> Bool {
        if case .status = reason { return statuses.failed(now: now) }
        return errors.failed(now: now)
    }
}
