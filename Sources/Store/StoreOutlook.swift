import Affinity
import Synchronization

/// What the event loops of one replica know together about their store: when it was last tried, and which of its
/// troubles have been said. Touched only when a connection comes or goes.
package final class StoreOutlook: Sendable {
    private struct State {
        var pacing: ReconnectPacing
        var said: Set<StoreTrouble> = []
        var isInUse = false
    }

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

    /// Whether this trouble has not been said since the store was last of use.
    func isNews(_ trouble: StoreTrouble) -> Bool {
        state.withLock {
            guard $0.said.insert(trouble).inserted else { return false }
            $0.isInUse = false
            return true
        }
    }

    /// The store answers. Whether that has not been said since its last trouble.
    func isNewsThatInUse() -> Bool {
        state.withLock { state in
            defer { state.isInUse = true }
            return !state.isInUse
        }
    }

    /// The store was of use for a while: if it fails again, that is news.
    func forgetTroubles() {
        state.withLock { $0.said.removeAll() }
    }
}
