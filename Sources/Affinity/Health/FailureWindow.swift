/// Counts the failures of a backend within a window of time, for all event loops of a replica. Pure, and bounded: it
/// remembers as many times as it takes to reach the limit.
package struct FailureWindow: Sendable {
    private let windowMilliseconds: Int64
    private let countMax: Int
    /// A ring once it is full: the oldest is at `next`.
    private var times: [Instant] = []
    private var next = 0

    /// - Parameters:
    ///   - windowMilliseconds: older failures do not count.
    ///   - countMax: the number of failures that reaches the limit; at least 1.
    package init(windowMilliseconds: Int64, countMax: Int) {
        self.windowMilliseconds = windowMilliseconds
        self.countMax = max(1, countMax)
    }

    /// Counts a failure. Returns whether the limit is reached; then counting begins anew.
    package mutating func failed(now: Instant) -> Bool {
        if times.count < countMax {
            times.append(now)
        } else {
            times[next] = now
            next = (next + 1) % countMax
        }
        guard times.count == countMax, now < times[next].advanced(byMilliseconds: windowMilliseconds) else {
            return false
        }
        (times, next) = ([], 0)
        return true
    }
}
