/// When the next step of a paced series is due. A step that comes late is made up for, within a limit.
struct Pace: Sendable {
    private var dueAt = Instant.distantPast

    func isDue(_ now: Instant) -> Bool { now >= dueAt }

    /// The first step is due at this time.
    mutating func begin(_ now: Instant) { dueAt = now }

    /// Takes a step. The next one is due after this interval.
    /// - Parameters:
    ///   - intervalNanoseconds: what the step costs.
    ///   - madeUpNanoseconds: how much of a delay is made up for.
    mutating func step(intervalNanoseconds: Int64, madeUpNanoseconds: Int64, now: Instant) {
        let since = max(dueAt.nanoseconds, now.nanoseconds &- madeUpNanoseconds)
        dueAt = Instant(nanoseconds: since &+ intervalNanoseconds)
    }

    /// A step, or part of it, was not taken.
    mutating func giveBack(intervalNanoseconds: Int64) {
        dueAt = Instant(nanoseconds: dueAt.nanoseconds &- intervalNanoseconds)
    }

    /// No step is due for this time.
    mutating func pause(milliseconds: Int64, now: Instant) {
        dueAt = max(dueAt, now.advanced(byMilliseconds: milliseconds))
    }
}
