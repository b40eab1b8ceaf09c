/// Waits until files stop changing: until a while passes without a change, but never beyond an upper limit.
struct Debounce {
    typealias Time = ContinuousClock.Instant

    static let quiet = Duration.milliseconds(100)
    static let longest = Duration.seconds(1)

    private var first: Time?
    private var last: Time?

    /// Records a change.
    mutating func happened(at now: Time) {
        if first == nil { first = now }
        last = now
    }

    /// When the period ends if nothing more changes; nil if nothing has changed.
    var end: Time? {
        guard let first, let last else { return nil }
        return min(last + Self.quiet, first + Self.longest)
    }

    /// Whether the period is over. If so, the next change begins a new one.
    mutating func isOver(at now: Time) -> Bool {
        guard let end, now >= end else { return false }
        (first, last) = (nil, nil)
        return true
    }
}
