/// Attempts of one service beyond the first.
package struct RetryCounters: Equatable, Sendable {
    /// Requests that were sent again, by the reason why the attempt before had failed.
    package var retries: [Reason: UInt64] = [:]
    /// Requests that were not sent again because the budget for it was used up.
    package var refused: UInt64 = 0
    /// For a failover: requests that the fallback got.
    package var fallbacks: UInt64 = 0

    package init() {}

    package mutating func add(_ other: RetryCounters) {
        retries.merge(other.retries, uniquingKeysWith: &+)
        refused &+= other.refused
        fallbacks &+= other.fallbacks
    }
}
