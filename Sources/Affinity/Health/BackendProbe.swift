/// When a replica tries by itself whether a backend can be reached: every second while it cannot, by one connection at
/// a time, and whenever the fleet wants to know.
///
/// Pure, one for each backend of a replica, whatever the number of its event loops. It decides when to connect; whether
/// the backend is down is in its ``BackendState``.
package struct BackendProbe: Sendable {
    /// Milliseconds between the outcome of one probe and the next.
    package static let intervalMilliseconds: Int64 = 1000

    package enum Action: Hashable, Sendable {
        case doNothing
        /// Call ``isDue(now:)`` at this time.
        case wait(until: Instant)
        /// Connect now, and report the outcome by ``ended(isReachable:now:)``.
        case connect
    }

    /// What a probe that has ended was for.
    package struct Outcome: Hashable, Sendable {
        /// The fleet wanted to know.
        package let isWanted: Bool
        package let action: Action
    }

    /// When the next one is due; nil while the backend can be reached.
    private var due: Instant?
    private var isConnecting = false
    private var isWanted = false

    package init() {}

    /// Whether the backend is known not to be reachable.
    package var isUnreachable: Bool { due != nil }

    /// The backend cannot be reached: two connections in a row failed, or a probe that the fleet wanted. Nothing is to
    /// be done where that is known.
    package mutating func failed(now: Instant) -> Action {
        due == nil ? wait(now) : .doNothing
    }

    /// A connection was made. A probe that is under way decides nothing any more.
    package mutating func succeeded() { due = nil }

    /// The time of a probe may have come. Early and stray calls do nothing.
    package mutating func isDue(now: Instant) -> Action {
        guard let due, now >= due else { return .doNothing }
        return connect()
    }

    /// The fleet wants to know. Where a probe is under way, its outcome is what it wants.
    package mutating func wanted() -> Action {
        isWanted = true
        return connect()
    }

    package mutating func ended(isReachable: Bool, now: Instant) -> Outcome {
        defer { isWanted = false }
        isConnecting = false
        if isReachable { due = nil }
        return Outcome(isWanted: isWanted, action: due == nil ? .doNothing : wait(now))
    }

    private mutating func connect() -> Action {
        guard !isConnecting else { return .doNothing }
        isConnecting = true
        return .connect
    }

    private mutating func wait(_ now: Instant) -> Action {
        let next = now.advanced(byMilliseconds: Self.intervalMilliseconds)
        due = next
        return .wait(until: next)
    }
}
