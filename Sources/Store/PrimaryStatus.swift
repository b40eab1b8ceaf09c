import Affinity
import Synchronization

/// What the event loops of one replica share about one primary of the store: when it was last tried, and which of its
/// errors have been logged. Accessed when a connection or heartbeat comes or goes, or a command fails; never by an
/// operation that succeeds.
package final class PrimaryStatus: Sendable {
    /// Who reports an error.
    enum Reporter {
        case store, channel
    }

    private struct Reported {
        var said: Set<StoreError> = []
        var inUseSince: Instant?

        mutating func add(_ error: StoreError, now: Instant) -> Bool {
            if let inUseSince, now.milliseconds(since: inUseSince) >= goodAfterMilliseconds { said.removeAll() }
            guard said.count < mostErrors, said.insert(error).inserted else { return false }
            inUseSince = nil
            return true
        }
    }

    private struct State {
        var pacing: ReconnectRateLimit
        var reported: [Reporter: Reported] = [:]
        var refusals: [RedisErrorCode: Instant] = [:]
        var mostReplicas = 0
        /// When each right was last missed.
        var missed: [MissingRight: Instant] = [:]
    }

    /// In milliseconds. After this long in use, all errors are logged again.
    private static let goodAfterMilliseconds: Int64 = 5000
    /// The maximum number of distinct errors that are logged in a row: a hostile server may make up any number.
    private static let mostErrors = 64
    /// The maximum number of distinct error codes. Redis has fewer that Limpet could meet.
    private static let mostCodes = 16
    /// The maximum number of distinct rights. Limpet needs fewer.
    private static let mostRights = 32

    private let connections: Int
    private let state: Mutex<State>

    /// - Parameter dataConnections: the number of connections that the replica keeps, without the coherence channel's
    ///   subscription.
    package init(dataConnections: Int) {
        connections = dataConnections + 1
        state = Mutex(State(pacing: ReconnectRateLimit(connections: dataConnections + 1, now: .now)))
    }

    func admitsAttempt(now: Instant) -> Bool {
        state.withLock { $0.pacing.admit(now: now) }
    }

    func connected() {
        state.withLock { $0.pacing.connected() }
    }

    /// The primary is another server: what was found about the last one does not slow the connections to this one.
    func endpointChanged(now: Instant) {
        state.withLock { $0.pacing = ReconnectRateLimit(connections: connections, now: now) }
    }

    /// The greatest number of replicas that the primary, or the one before it, has had since the start. Just after a
    /// fail-over some do not follow the new primary yet, or wait as the old one does until it is started again.
    var mostReplicas: Int { state.withLock { $0.mostReplicas } }

    /// A connection was made to the primary, and it has this many replicas.
    func hasReplicas(_ count: Int) {
        state.withLock { $0.mostReplicas = max($0.mostReplicas, count) }
    }

    func failed() {
        state.withLock { $0.pacing.failed() }
    }

    /// Whether to log this error: not again until the store or channel has worked for a while.
    func shouldLog(_ error: StoreError, to reporter: Reporter, now: Instant) -> Bool {
        state.withLock { $0.reported[reporter, default: Reported()].add(error, now: now) }
    }

    /// The store is in use, or the channel is live. Returns whether to log that.
    func shouldLogRecovery(to reporter: Reporter, now: Instant) -> Bool {
        state.withLock { state in
            guard state.reported[reporter]?.inUseSince == nil else { return false }
            state.reported[reporter, default: Reported()].inUseSince = now
            return true
        }
    }

    /// Whether to log that the user lacks this right: once, until it has not been missed for a minute.
    func shouldLog(_ right: MissingRight, now: Instant) -> Bool {
        state.withLock { state in
            let last = state.missed[right]
            guard last != nil || state.missed.count < Self.mostRights else { return false }
            state.missed[right] = now
            return last.map { now.milliseconds(since: $0) >= 60_000 } ?? true
        }
    }

    /// Whether to log that the store answers commands with this error: once a minute.
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
