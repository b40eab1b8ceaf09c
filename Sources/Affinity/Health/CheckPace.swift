/// How often a backend is checked, and how many checks in a row change what is thought of it.
package struct CheckPace: Hashable, Sendable {
    /// Milliseconds from the start of one check to the start of the next, apart from jitter; at least 1.
    package var intervalMilliseconds: Int64
    /// The same while the backend is failing.
    package var unhealthyIntervalMilliseconds: Int64
    /// Milliseconds that a whole check may take; at least 1.
    package var timeoutMilliseconds: Int64
    /// The number of good checks in a row that end a failure; at least 1.
    package var rise: Int
    /// The number of failed checks in a row that make a backend failing; at least 1.
    package var fall: Int

    /// - Parameter unhealthyIntervalMilliseconds: nil for the other interval.
    package init(
        intervalMilliseconds: Int64 = 30_000, unhealthyIntervalMilliseconds: Int64? = nil,
        timeoutMilliseconds: Int64 = 5000, rise: Int = 1, fall: Int = 1
    ) {
        self.intervalMilliseconds = intervalMilliseconds
        self.unhealthyIntervalMilliseconds = unhealthyIntervalMilliseconds ?? intervalMilliseconds
        self.timeoutMilliseconds = timeoutMilliseconds
        self.rise = rise
        self.fall = fall
    }
}
