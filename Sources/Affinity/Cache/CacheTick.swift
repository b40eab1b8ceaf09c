/// A point in time as the cache keeps it: 32 bits that count units of 2^26 ns (67 ms).
///
/// Ticks wrap after nine years. Ages and remaining times are wrapping differences, correct below four and a half years;
/// longer lifetimes are cut to two years.
struct CacheTick: Hashable, Sendable {
    private static let shift: Int64 = 26
    private static let farthest: Int64 = 1 << 30

    let count: UInt32

    /// Rounds down to the earlier tick, so that an entry never appears to be confirmed later, or to live longer, than
    /// it does.
    init(_ instant: Instant) {
        count = UInt32(truncatingIfNeeded: instant.nanoseconds >> Self.shift)
    }

    /// A future time, at most two years after `now`.
    init(_ instant: Instant, atMostFarFrom now: Instant) {
        let ticks = min(instant.nanoseconds >> Self.shift, (now.nanoseconds >> Self.shift) &+ Self.farthest)
        count = UInt32(truncatingIfNeeded: ticks)
    }

    /// Ticks from `other` to this tick; negative if `other` is later.
    func distance(from other: CacheTick) -> Int32 { Int32(bitPattern: count &- other.count) }

    /// The instant at which this tick began. The tick must be within four years of `now`.
    func instant(near now: Instant) -> Instant {
        let ticks = (now.nanoseconds >> Self.shift) &+ Int64(distance(from: CacheTick(now)))
        return Instant(nanoseconds: ticks << Self.shift)
    }

    /// For the order of use only: 16 bits that count units of 2^30 ns (1.07 s) and wrap after 19 hours. A wrong order
    /// costs only a worse choice of victim.
    static func use(_ now: Instant) -> UInt16 { UInt16(truncatingIfNeeded: now.nanoseconds >> 30) }
}
