/// Whether one backend can be reached, judged from its connections: down after a connection failure that survived one
/// more try to the same backend, then probed by a TCP connect every second until one succeeds.
package struct BackendHealth: Sendable {
    /// Milliseconds between the outcome of one probe and the next.
    package static let probeInterval: Int64 = 1000

    package enum Action: Hashable, Sendable {
        case doNothing
        /// Mark it down, and say that the probe is due at this time.
        case markDown(probeAt: Instant)
        /// Connect now, and report the outcome.
        case probe
        /// Say that the probe is due at this time.
        case probeAgain(at: Instant)
        case markUp
    }

    private enum State {
        /// May become down.
        case up
        /// Waits for the next probe. May become probing, or up when a connection succeeds meanwhile.
        case down(probeAt: Instant)
        /// A probe is under way. May become down or up.
        case probing
    }

    private var state = State.up

    package init() {}

    package var isUp: Bool {
        switch state {
        case .up: true
        case .down, .probing: false
        }
    }

    /// A connection could not be made, nor could a second one at once.
    package mutating func connectionFailed(now: Instant) -> Action {
        switch state {
        case .up:
            let probeAt = now.advanced(byMilliseconds: Self.probeInterval)
            state = .down(probeAt: probeAt)
            return .markDown(probeAt: probeAt)
        case .down, .probing:
            return .doNothing
        }
    }

    /// A connection that a request asked for was made.
    package mutating func connectionSucceeded() -> Action { becomeUp() }

    /// The time of a probe has come. Early and stray calls do nothing.
    package mutating func probeIsDue(now: Instant) -> Action {
        switch state {
        case .down(let probeAt) where now >= probeAt:
            state = .probing
            return .probe
        case .up, .down, .probing:
            return .doNothing
        }
    }

    package mutating func probeSucceeded() -> Action { becomeUp() }

    package mutating func probeFailed(now: Instant) -> Action {
        switch state {
        case .probing:
            let probeAt = now.advanced(byMilliseconds: Self.probeInterval)
            state = .down(probeAt: probeAt)
            return .probeAgain(at: probeAt)
        case .up, .down:
            return .doNothing
        }
    }

    private mutating func becomeUp() -> Action {
        switch state {
        case .up:
            return .doNothing
        case .down, .probing:
            state = .up
            return .markUp
        }
    }
}
