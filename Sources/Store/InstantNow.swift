package import Affinity

extension Instant {
    /// The time now, on the clock that goes on while the machine sleeps (`CLOCK_BOOTTIME`): lifetimes of records pass
    /// in the store meanwhile.
    package static var now: Instant {
        let (seconds, attoseconds) = origin.duration(to: .now).components
        return Instant(nanoseconds: seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000)
    }

    private static let origin = ContinuousClock.Instant.now
}
