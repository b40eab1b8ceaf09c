/// How many sessions this event loop recently placed on each backend: counters that decay exponentially.
///
/// Placement with bounded load: a backend takes a new session only while its load is below ⌈1.25 × (total + 1) × weight
/// / sum of weights⌉, over the backends that may take new sessions. If every counter in a fleet keeps the bound, their
/// sum does too, apart from rounding, so replicas need not exchange their loads. Another replica cannot repeat a choice
/// that depends on load, so this is only for placements that will be recorded.
package struct PlacementLoad: Sendable {
    /// One placement in a counter's fixed-point units.
    private static let unit: UInt64 = 1 << 16
    /// Decay proceeds in steps of an eighth of the half-life, each by 2^(-1/8) in units of 2^-16.
    private static let stepFactor: UInt64 = 60_097
    private static let stepsPerHalfLife: Int64 = 8

    private var loads: [UInt64]
    private var step: Int64
    private var decayed: Instant?

    /// - Parameter halfLifeMilliseconds: about the lifetime of a session; at least 8.
    package init(backends: Int, halfLifeMilliseconds: Int64) {
        loads = Array(repeating: 0, count: backends)
        step = Self.step(halfLifeMilliseconds)
    }

    private static func step(_ halfLifeMilliseconds: Int64) -> Int64 { max(1, halfLifeMilliseconds / stepsPerHalfLife) }

    /// Continues with another membership: a backend that stays keeps its count.
    ///
    /// - Parameter kept: the previous index of each backend; nil for a new one.
    mutating func reconfigure(kept: [Int?]) {
        loads = kept.map { place in place.map { loads[$0] } ?? 0 }
    }

    mutating func reconfigure(halfLifeMilliseconds: Int64) {
        step = Self.step(halfLifeMilliseconds)
    }

    /// Whole placements that still count for the backend.
    package func load(of index: Int) -> Int { Int(loads[index] / Self.unit) }

    /// Counts a session placed on the backend.
    package mutating func placed(on index: Int, now: Instant) {
        decay(now)
        let (sum, overflow) = loads[index].addingReportingOverflow(Self.unit)
        if !overflow { loads[index] = sum }
    }

    /// The first backend in the fingerprint's order that takes new sessions, is `usable` and within its share.
    ///
    /// - Parameter portion: how much of a backend's weight the others have to leave to it, in 1024ths: less than all
    ///   for one that starts slowly.
    package mutating func choose(
        _ fingerprint: Fingerprint, of membership: Membership, now: Instant,
        portion: (Int) -> Int64 = { _ in BackendState.wholeShare }, where usable: (Int) -> Bool
    ) -> Int? {
        decay(now)
        var total: UInt128 = 0
        var weights: UInt128 = 0
        for index in loads.indices where membership.takesNewSessions(index) && usable(index) {
            total += UInt128(loads[index])
            weights += UInt128(membership.backends[index].weight) * UInt128(portion(index))
        }
        let fair = 5 * (total + UInt128(Self.unit)) * UInt128(BackendState.wholeShare)
        let share = 4 * weights * UInt128(Self.unit)
        return membership.choose(fingerprint) {
            // For a whole number of placements, "below the bound" and "below the rounded-up bound" are equivalent.
            usable($0) && UInt128(loads[$0] / Self.unit) * share < fair * UInt128(membership.backends[$0].weight)
        }
    }

    private mutating func decay(_ now: Instant) {
        guard let last = decayed else {
            decayed = now
            return
        }
        let steps = now.milliseconds(since: last) / step
        guard steps > 0 else { return }
        decayed = last.advanced(byMilliseconds: steps * step)
        let halvings = steps / Self.stepsPerHalfLife
        for index in loads.indices {
            var load = halvings < 64 ? loads[index] >> UInt64(halvings) : 0
            for _ in 0..<(steps % Self.stepsPerHalfLife) {
                load = load / Self.unit * Self.stepFactor + load % Self.unit * Self.stepFactor / Self.unit
            }
            loads[index] = load
        }
    }
}
