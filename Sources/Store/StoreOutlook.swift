import Affinity
import Synchronization

/// What the event loops of one replica know together about their store: when it was last tried, and which of its
/// troubles have been said. Touched only when a connection comes or goes.
package final class StoreOutlook: Sendable {
    private struct State {
        var pacing: ReconnectPacing
        var said: Set<StoreTrouble> = []
        var inUseSince: Instant?
        var refusals: [RedisErrorCode: Instant] = [:]
    }

    /// In milliseconds: after so long in use, all troubles are news again.
    private static let goodWhile: Int64 = 5000
    /// Errors that are told apart; Redis has fewer that could meet us.
    private static let mostCodes = 16

    private let state: Mutex<State>

    /// - Parameter loops: how many event loops keep a connection.
    package init(loops: Int) {
        state = Mutex(State(pacing: ReconnectPacing(loops: loops, now: .now)))
    }

    func admitsAttempt(now: Instant) -> Bool {
        state.withLock { $0.pacing.admit(now: now) }
    }

    func connected() {
        state.withLock { $0.pacing.connected() }
    }

    func failed() {
        state.withLock { $0.pacing.failed() }
    }

    /// Whether this trouble is to be said: not again until the store has been of use for a while.
    func isNews(_ trouble: StoreTrouble, now: Instant) -> Bool {
        state.withLock { state in
            if let since = state.inUseSince, now.milliseconds(since: since) >= Self.goodWhile { state.said.removeAll() }
            guard state.said.insert(trouble).inserted else { return false }
            state.inUseSince = nil
            return true
        }
    }

    /// The store answers. Whether that is to be said.
    func isNewsThatInUse(now: Instant) -> Bool {
        state.withLock { state in
            guard state.inUseSince == nil else { return false }
            state.inUseSince = now
            return true
        }
    }

    /// Whether it is to be said that the store answers commands with this error: once a minute.
    func isNews(_ code: RedisErrorCode, now: Instant) -> Bool {
        state.withLock { state in
            if let last = state.refusals[code] {
                guard now.milliseconds(since: last) >= 60_000 else { return false }
            } else if state.refusals.count >= Self.mostCodes {
                return false
            }
            state.refusals[code] = now
            return true
        }
    }
}
