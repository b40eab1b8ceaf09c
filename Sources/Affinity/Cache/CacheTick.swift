/// Points of time as the cache keeps them: 32 bits that count 2^26 ns (67 ms).
///
/// They wrap after nine years. Ages and remaining times are wrapping differences, right as long as they are below four
/// and a half years; longer lifetimes are cut to two.
struct CacheTick: Hashable, Sendable {
    private static let shift: Int64 = 26
    private static let farthest: Int64 = 1 << 30

    let count: UInt32

    /// Rounded down: to the earlier tick, so that no entry counts as confirmed later, or lives longer, than it does.
    init(_ instant: Instant) {
        count = UInt32(truncatingIfNeeded: instant.nanoseconds >> Self.shift)
    }

    /// A time to come, at most two years ahead of `now`.
    init(_ instant: Instant, atMostFarFrom now: Instant) {
        let ticks = min(instant.nanoseconds >> Self.shift, (now.nanoseconds >> Self.shift) &+ Self.farthest)
        count = UInt32(truncatingIfNeeded: ticks)
    }

    /// Ticks from `other` to here; negative if `other` is later.
    func distance(from other: CacheTick) -> Int32 { Int32(bitPattern: count &- other.count) }

    /// The instant at which this tick began, for a tick within years of `now`.
    func instant(near now: Instant) -> Instant {
        let ticks = (now.nanoseconds >> Self.shift) &+ Int64(distance(from: CacheTick(now)))
        return Instant(nanoseconds: ticks << Self.shift)
    }

    /// For the order of use only: 16 bits that count 2^30 ns (1.07 s) and wrap after 19 hours. To be wrong then costs
    /// a choice of victim, no more.
    static func use(_ now: Instant) -> UInt16 { UInt16(truncatingIfNeeded: now.nanoseconds >> 30) }
}
