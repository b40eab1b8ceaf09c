import Affinity
import Synchronization

/// What the event loops of one replica know together about one primary of the store: when it was last tried, and which
/// of its troubles have been said. Touched only when a connection comes or goes.
package final class PrimaryStatus: Sendable {
    /// Who has something to say.
    enum Reporter {
        case store, channel
    }

    private struct Reported {
        var said: Set<StoreError> = []
        var inUseSince: Instant?

        mutating func add(_ error: StoreError, now: Instant) -> Bool {
            if let inUseSince, now.milliseconds(since: inUseSince) >= goodAfterMilliseconds { said.removeAll() }
            guard said.insert(error).inserted else { return false }
            inUseSince = nil
            return true
        }
    }

    private struct State {
        var pacing: ReconnectPacing
        var reported: [Reporter: Reported] = [:]
        var refusals: [RedisErrorCode: Instant] = [:]
    }

    /// In milliseconds: after so long in use, all troubles are news again.
    private static let goodAfterMilliseconds: Int64 = 5000
    /// Errors that are told apart; Redis has fewer that could meet us.
    private static let mostCodes = 16

    private let state: Mutex<State>

    /// - Parameter loops: how many event loops keep a connection.
    package init(loops: Int) {
        // The coherence channel's subscription is one connection more.
        state = Mutex(State(pacing: ReconnectPacing(connections: loops + 1, now: .now)))
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

    /// Whether this trouble is to be said: not again until it has been over for a while.
    func shouldLog(_ error: StoreError, to reporter: Reporter, now: Instant) -> Bool {
        state.withLock { $0.reported[reporter, default: Reported()].add(error, now: now) }
    }

    /// The store answers, or the channel hears. Whether that is to be said.
    func shouldLogRecovery(to reporter: Reporter, now: Instant) -> Bool {
        state.withLock { state in
            guard state.reported[reporter]?.inUseSince == nil else { return false }
            state.reported[reporter, default: Reported()].inUseSince = now
            return true
        }
    }

    /// Whether it is to be said that the store answers commands with this error: once a minute.
    func shouldLog(_ code: RedisErrorCode, now: Instant) -> Bool {
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
