package import Affinity

/// Keeps the attempts of all connections of a replica to one primary to two a second while that is away. Once one of
/// them has connected the others may follow.
package struct ReconnectPacing: Sendable {
    /// The least time between two attempts while the store is away, in milliseconds.
    package static let intervalMilliseconds: Int64 = 500
    /// However often the store has come and gone, all may be back this soon, in milliseconds.
    package static let longestReturn: Int64 = 4000

    /// Attempts that may be made at once, one for each connection at most. Earned by time, so that a store that takes
    /// connections and drops them is not overrun.
    private var spare: Int
    private let earning: Int64
    private let connections: Int
    private var refilled: Instant
    private var lastAttempt: Instant?
    private var isBack = true

    /// - Parameter connections: how many are kept.
    package init(connections: Int, now: Instant) {
        self.connections = max(1, connections)
        spare = self.connections
        earning = max(1, min(Self.intervalMilliseconds, Self.longestReturn / Int64(self.connections)))
        refilled = now
    }

    /// Whether an attempt may be made now. If so it counts as made.
    package mutating func admit(now: Instant) -> Bool {
        refill(now: now)
        if !isBack, let lastAttempt, now.milliseconds(since: lastAttempt) < Self.intervalMilliseconds { return false }
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
        let earned = now.milliseconds(since: refilled) / earning
        guard earned > 0 else { return }
        spare = Int(min(Int64(connections), Int64(spare) + min(earned, Int64(connections))))
        refilled = spare == connections ? now : refilled.advanced(byMilliseconds: earned * earning)
    }
}
