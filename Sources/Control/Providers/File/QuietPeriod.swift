/// Waits until whoever changes files has finished: a while in which nothing happens, and not for ever.
struct QuietPeriod {
    typealias Time = ContinuousClock.Instant

    static let quiet = Duration.milliseconds(100)
    static let longest = Duration.seconds(1)

    private var first: Time?
    private var last: Time?

    /// Something has happened.
    mutating func happened(at now: Time) {
        if first == nil { first = now }
        last = now
    }

    /// When it is over, if nothing more happens; nil where nothing has happened.
    var end: Time? {
        guard let first, let last else { return nil }
        return min(last + Self.quiet, first + Self.longest)
    }

    /// Whether it is over; what happens from now on begins another one.
    mutating func isOver(at now: Time) -> Bool {
        guard let end, now >= end else { return false }
        (first, last) = (nil, nil)
        return true
    }
}
