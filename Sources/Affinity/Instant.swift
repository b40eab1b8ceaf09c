/// A point on a monotonic clock, in nanoseconds since an origin that is private to this process.
///
/// Policy never reads a clock: the time is passed in. Instants of different processes cannot be compared.
package struct Instant: Comparable, Hashable, Sendable {
    package var nanoseconds: Int64

    package static let distantPast = Instant(nanoseconds: .min)
    package static let distantFuture = Instant(nanoseconds: .max)

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    package static func < (lhs: Instant, rhs: Instant) -> Bool { lhs.nanoseconds < rhs.nanoseconds }

    /// Saturates instead of trapping: a lifetime read from the network may be absurd.
    package func advanced(byMilliseconds milliseconds: Int64) -> Instant {
        let (product, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        let step = overflow ? (milliseconds < 0 ? Int64.min : Int64.max) : product
        let (sum, carried) = nanoseconds.addingReportingOverflow(step)
        return Instant(nanoseconds: carried ? (step < 0 ? .min : .max) : sum)
    }

    /// Whole milliseconds from `earlier` to this instant, rounded toward zero; negative if `earlier` is later.
    package func milliseconds(since earlier: Instant) -> Int64 {
        let (difference, overflow) = nanoseconds.subtractingReportingOverflow(earlier.nanoseconds)
        return (overflow ? (nanoseconds < earlier.nanoseconds ? Int64.min : Int64.max) : difference) / 1_000_000
    }
}
