package import Affinity

/// Decides whether the store may be asked. Open: no question is sent, and one probe at a time is, until the store
/// answers one within the budget.
///
/// One for each connection; open from the start, until the first probe has been answered.
package struct StoreBreaker: Sendable {
    package enum Action: Equatable, Sendable {
        case doNothing
        /// Opened by misses. Send a probe then, unless the connection is lost before.
        case openAndProbe(at: Instant)
        /// Send a probe then, unless the connection is lost before.
        case probe(at: Instant)
        /// Questions may be sent again.
        case close
    }

    package static let missesToOpen = 3
    /// In milliseconds.
    package static let probeIntervalMilliseconds: Int64 = 250

    package private(set) var isOpen = true
    private var misses = 0

    package init() {}

    /// A connection is there.
    package mutating func connected(now: Instant) -> Action {
        isOpen = true
        misses = 0
        return .probe(at: now)
    }

    /// The connection is lost. Opens.
    package mutating func disconnected() {
        isOpen = true
    }

    /// A question was answered before its budget was over.
    package mutating func answered() {
        misses = 0
    }

    /// The budget of a question is over.
    package mutating func missed(now: Instant) -> Action {
        guard !isOpen else { return .doNothing }
        misses += 1
        guard misses >= Self.missesToOpen else { return .doNothing }
        isOpen = true
        return .openAndProbe(at: now.advanced(byMilliseconds: Self.probeIntervalMilliseconds))
    }

    /// The probe was answered: well, or too late or with an error. One that never is needs no event: the connection
    /// will be lost.
    package mutating func probeAnswered(isWell: Bool, now: Instant) -> Action {
        guard isOpen else { return .doNothing }
        guard isWell else { return .probe(at: now.advanced(byMilliseconds: Self.probeIntervalMilliseconds)) }
        isOpen = false
        misses = 0
        return .close
    }
}
