package import Affinity

/// Limits the connection attempts of a replica to one primary, over all its connections, to two a second while the
/// primary is unavailable. An attempt may try several addresses. Once one connection succeeds, the others may follow.
package struct ReconnectRateLimit: Sendable {
    /// The minimum time between two attempts while the store is unavailable, in milliseconds.
    package static let intervalMilliseconds: Int64 = 500
    /// All connections may be back within this time, in milliseconds, however often the store has come and gone.
    package static let longestReturn: Int64 = 4000

    /// Attempts that may be made at once, at most one for each connection. They are earned by time, so that a store
    /// that accepts connections and drops them is not overrun.
    private var spare: Int
    private let earning: Int64
    private let connections: Int
    private var refilled: Instant
    private var lastAttempt: Instant?
    private var isBack = true

    /// - Parameter connections: the number of connections that the replica keeps to the primary.
    package init(connections: Int, now: Instant) {
        self.connections = max(1, connections)
        spare = self.connections
        earning = max(1, min(Self.intervalMilliseconds, Self.longestReturn / Int64(self.connections)))
        refilled = now
    }

    /// Whether an attempt may be made now. If so, it counts as made.
    package mutating func admit(now: Instant) -> Bool {
        refill(now: now)
        if !isBack, let lastAttempt, now.milliseconds(since: lastAttempt) < Self.intervalMilliseconds { return false }
        guard spare > 0 else { return false }
        spare -= 1
        lastAttempt = now
        return true
    }

    /// An attempt succeeded.
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
