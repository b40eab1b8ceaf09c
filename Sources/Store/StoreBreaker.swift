package import Affinity

/// A circuit breaker: decides whether operations may be sent to the store. While it is open, no operations are sent,
/// only one probe at a time, until the store answers a probe within the budget.
///
/// A store that comes back meets all that has waited for it, from every loop of every replica. So a breaker that closes
/// after a failure lets one operation through, and one more for each result that comes in time: twice as many in each
/// round trip. A miss meanwhile opens it again.
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

    private enum State {
        case open
        /// This many may be in flight.
        case limiting(to: Int, until: Instant)
        case closed
    }

    package static let missesToOpen = 3
    /// In milliseconds.
    package static let probeIntervalMilliseconds: Int64 = 250
    /// From this many in flight on, nothing is limited.
    package static let limitMax = 256
    /// Milliseconds after which nothing is limited: a loop that seldom asks must not be limited an hour later.
    package static let limitingMilliseconds: Int64 = 1000

    private var state = State.open
    /// Whether the store has failed since the breaker was last closed: at the start of a process nothing waits.
    private var hasFailed = false
    private var misses = 0
    /// Operations that requests wait for.
    private var inFlight = 0

    package init() {}

    package var isOpen: Bool {
        if case .open = state { true } else { false }
    }

    /// Whether one more operation that a request waits for may be sent.
    package func admits(now: @autoclosure () -> Instant) -> Bool {
        switch state {
        case .open: false
        case .limiting(let limit, let until): inFlight < limit || now() >= until
        case .closed: true
        }
    }

    /// A connection is established. Opens, and probes at this time: at once, unless the server must settle first.
    package mutating func connected(probeAt time: Instant) -> Action {
        open()
        return .probe(at: time)
    }

    /// The connection is lost, or could not be made. Opens.
    package mutating func disconnected() {
        hasFailed = true
        open()
    }

    private mutating func open() {
        state = .open
        misses = 0
        inFlight = 0
    }

    /// An operation was sent. It ends with ``answered(isBackground:now:)``, ``missed(now:)`` or the connection.
    /// - Parameter isBackground: whether no request waits for it: such operations have a pace of their own.
    package mutating func sent(isBackground: Bool) {
        if !isBackground { inFlight += 1 }
    }

    /// An operation was answered within its budget.
    package mutating func answered(isBackground: Bool, now: Instant) {
        misses = 0
        guard !isBackground else { return }
        inFlight = max(0, inFlight - 1)
        guard case .limiting(let limit, let until) = state else { return }
        state = limit + 1 < Self.limitMax && now < until ? .limiting(to: limit + 1, until: until) : .closed
    }

    /// The budget of an operation that a request waits for is over.
    package mutating func missed(now: Instant) -> Action {
        inFlight = max(0, inFlight - 1)
        switch state {
        case .open: return .doNothing
        case .limiting(_, let until) where now < until: break
        case .limiting, .closed:
            misses += 1
            guard misses >= Self.missesToOpen else { return .doNothing }
        }
        hasFailed = true
        state = .open
        misses = 0
        return .openAndProbe(at: now.advanced(byMilliseconds: Self.probeIntervalMilliseconds))
    }

    /// The probe was answered: well, or too late or with an error. A probe that is never answered needs no event,
    /// because the connection will be lost.
    package mutating func probeAnswered(isWell: Bool, now: Instant) -> Action {
        guard isOpen else { return .doNothing }
        guard isWell else {
            hasFailed = true
            return .probe(at: now.advanced(byMilliseconds: Self.probeIntervalMilliseconds))
        }
        state =
            hasFailed
            ? .limiting(to: 1, until: now.advanced(byMilliseconds: Self.limitingMilliseconds)) : .closed
        hasFailed = false
        misses = 0
        return .close
    }
}
