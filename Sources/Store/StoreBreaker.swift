package import Affinity

/// A circuit breaker: decides whether operations may be sent to the store. While it is open, no operations are sent,
/// only one probe at a time, until the store answers a probe within the budget.
///
/// Each connection has one. It is open from the start until the first probe succeeds.
package struct StoreBreaker: Sendable {
    package enum Action: Equatable, Sendable {
        case doNothing
        /// Opened by misses. Send a probe at this time, unless the connection is lost before.
        case openAndProbe(at: Instant)
        /// Send a probe at this time, unless the connection is lost before.
        case probe(at: Instant)
        /// Operations may be sent again.
        case close
    }

    package static let missesToOpen = 3
    /// In milliseconds.
    package static let probeIntervalMilliseconds: Int64 = 250

    package private(set) var isOpen = true
    private var misses = 0

    package init() {}

    /// A connection is established. Opens, and probes at this time: at once, unless the server must settle first.
    package mutating func connected(probeAt time: Instant) -> Action {
        isOpen = true
        misses = 0
        return .probe(at: time)
    }

    /// The connection is lost. Opens.
    package mutating func disconnected() {
        isOpen = true
    }

    /// An operation was answered within its budget.
    package mutating func answered() {
        misses = 0
    }

    /// The budget of an operation is over.
    package mutating func missed(now: Instant) -> Action {
        guard !isOpen else { return .doNothing }
        misses += 1
        guard misses >= Self.missesToOpen else { return .doNothing }
        isOpen = true
        return .openAndProbe(at: now.advanced(byMilliseconds: Self.probeIntervalMilliseconds))
    }

    /// The probe was answered: well, or too late or with an error. A probe that is never answered needs no event,
    /// because the connection will be lost.
    package mutating func probeAnswered(isWell: Bool, now: Instant) -> Action {
        guard isOpen else { return .doNothing }
        guard isWell else { return .probe(at: now.advanced(byMilliseconds: Self.probeIntervalMilliseconds)) }
        isOpen = false
        misses = 0
        return .close
    }
}
