/// Decides when a replica probes whether a backend can be reached: every second while it cannot, one connection at a
/// time, and whenever the fleet requests it.
///
/// Pure, one for each backend of a replica, regardless of the number of event loops. It decides when to connect;
/// ``BackendState`` holds whether the backend is down.
package struct BackendProbe: Sendable {
    /// Milliseconds between the outcome of one probe and the start of the next.
    package static let intervalMilliseconds: Int64 = 1000

    package enum Action: Hashable, Sendable {
        case doNothing
        /// Call ``isDue(now:)`` at this time.
        case wait(until: Instant)
        /// Connect now, and report the outcome by ``ended(isReachable:now:)``.
        case connect
    }

    /// The outcome of a probe.
    package struct Outcome: Hashable, Sendable {
        /// Whether the fleet requested the probe.
        package let isWanted: Bool
        package let action: Action
    }

    /// When the next probe is due; nil while the backend can be reached.
    private var due: Instant?
    private var isConnecting = false
    private var isWanted = false

    package init() {}

    /// Whether the backend is known to be unreachable.
    package var isUnreachable: Bool { due != nil }

    /// The backend cannot be reached: two connections in a row failed, or a probe that the fleet requested. Nothing is
    /// to be done if that is already known.
    package mutating func failed(now: Instant) -> Action {
        due == nil ? wait(now) : .doNothing
    }

    /// A connection was made. A probe in flight no longer decides anything.
    package mutating func succeeded() { due = nil }

    /// A probe may be due. Early and stray calls do nothing.
    package mutating func isDue(now: Instant) -> Action {
        guard let due, now >= due else { return .doNothing }
        return connect()
    }

    /// The fleet requests a probe. If one is in flight, its outcome serves.
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
