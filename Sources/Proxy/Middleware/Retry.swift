/// `retry`: sends a request that failed again. As configured.
///
/// Only requests with a safe method (RFC 9110, section 9.2.1) and no body are sent again, see ``Attempts``.
package struct Retry: Equatable, Sendable {
    package static let budgetPercentDefault = 20

    /// How often a request is sent at most, the first time included; at least 1.
    package var attempts: Int
    /// The statuses after which a request is sent again; the last attempt's response is passed on whatever its status.
    package var statuses: [ClosedRange<Int>]
    /// Whether a request is sent again whose connection was lost before the response.
    package var repeatsLost: Bool
    /// The pause before the second attempt; the later ones are longer, at most twice as long. 0: no pause.
    package var initialIntervalMilliseconds: Int64
    /// How long after its first attempt a request may be sent again; nil: without limit.
    package var timeoutMilliseconds: Int64?
    /// The share of a service's requests that may be sent again, in percent; see ``RetryBudget``.
    package var budgetPercent: Int

    package init(
        attempts: Int, statuses: [ClosedRange<Int>] = [], repeatsLost: Bool = true,
        initialIntervalMilliseconds: Int64 = 0, timeoutMilliseconds: Int64? = nil,
        budgetPercent: Int = Self.budgetPercentDefault
    ) {
        self.attempts = attempts
        self.statuses = statuses
        self.repeatsLost = repeatsLost
        self.initialIntervalMilliseconds = initialIntervalMilliseconds
        self.timeoutMilliseconds = timeoutMilliseconds
        self.budgetPercent = budgetPercent
    }

    /// The pause in milliseconds before the next attempt, after this number of them: one and a half times the previous
    /// one, and between half and one and a half times that at random, so that clients that failed together do not come
    /// back together.
    /// - Parameter draw: random, 0 to below 1.
    func pauseMilliseconds(afterAttempts count: Int, draw: Double) -> Int64 {
        guard initialIntervalMilliseconds > 0 else { return 0 }
        var pause = Double(initialIntervalMilliseconds)
        for _ in 1..<max(count, 1) where pause < 2 * Double(initialIntervalMilliseconds) { pause *= 1.5 }
        return Int64(min(pause, 2 * Double(initialIntervalMilliseconds)) * (0.5 + draw))
    }
}
