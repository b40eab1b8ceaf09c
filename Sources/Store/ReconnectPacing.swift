package import Affinity

/// Keeps the attempts of all event loops of a replica to two a second while the store is away. Once one of them has
/// connected the others may follow at once.
package struct ReconnectPacing: Sendable {
    /// The least time between two attempts while the store is away, in milliseconds; and in the long run, come what
    /// may: a store that takes connections and drops them does not see more.
    package static let interval: Int64 = 500

    /// Attempts that may be made at once.
    private var spare: Int
    private let loops: Int
    private var refilled: Instant
    private var lastAttempt: Instant?
    private var isBack = true

    /// - Parameter loops: how many event loops keep a connection.
    package init(loops: Int, now: Instant) {
        self.loops = max(1, loops)
        spare = self.loops
        refilled = now
    }

    /// Whether an attempt may be made now. If so it counts as made.
    package mutating func admit(now: Instant) -> Bool {
        refill(now: now)
        if !isBack, let lastAttempt, now.milliseconds(since: lastAttempt) < Self.interval { return false }
        guard spare > 0 else { return false }
        spare -= 1
        lastAttempt = now
        return true
    }

    /// An attempt was successful.
    package mutating func connected() {
        isBack = true
    }

    /// An attempt failed, or a connection was lost.
    package mutating func failed() {
        isBack = false
    }

    private mutating func refill(now: Instant) {
        let earned = now.milliseconds(since: refilled) / Self.interval
        guard earned > 0 else { return }
        spare = Int(min(Int64(loops), Int64(spare) + min(earned, Int64(loops))))
        refilled = spare == loops ? now : refilled.advanced(byMilliseconds: earned * Self.interval)
    }
}
