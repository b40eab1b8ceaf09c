import Affinity
import Synchronization

/// The server that the coherence channel of one primary hears. All data connections of the replica to that primary
/// compare their server with it: only changes on that same server are certain to be heard, so only its results hold
/// until a message supersedes them.
package final class ChannelServer: Sendable {
    enum Event: Sendable {
        /// The channel now hears another server, or none.
        case serverChanged
        /// A data connection found that the channel's server is no longer a primary, or has a different history.
        case doubted(StoreError)
        /// The primary is at another endpoint.
        case endpointChanged
        /// This server owes a reply and was not heard for a lease: all connections to it must be ended.
        case fellSilent(ServerIdentity.RunID)
    }

    /// Identifies a watcher.
    struct Subscription: Hashable, Sendable {
        fileprivate let number: Int
    }

    private struct State {
        var server: ServerIdentity?
        var watchers: [Subscription: @Sendable (Event) -> Void] = [:]
        var nextWatch = 0
    }

    private let state = Mutex(State())
    private let changes = Atomic<UInt64>(0)

    package init() {}

    /// Grows with each change of the server, so that a comparison costs one load while nothing changes.
    var version: UInt64 { changes.load(ordering: .acquiring) }

    /// The server that the channel hears. Nil while the channel is down.
    var server: ServerIdentity? { state.withLock { $0.server } }

    func set(_ server: ServerIdentity?) {
        let told = state.withLock { state in
            guard state.server != server else { return [@Sendable (Event) -> Void]() }
            state.server = server
            changes.add(1, ordering: .releasing)
            return Array(state.watchers.values)
        }
        for watcher in told { watcher(.serverChanged) }
    }

    func doubt(_ error: StoreError) { tell(.doubted(error)) }

    func endpointChanged() { tell(.endpointChanged) }

    func silence(of server: ServerIdentity.RunID) { tell(.fellSilent(server)) }

    private func tell(_ event: Event) {
        for watcher in state.withLock({ Array($0.watchers.values) }) { watcher(event) }
    }

    /// `body` is called on the loop where the event occurs.
    func watch(_ body: @escaping @Sendable (Event) -> Void) -> Subscription {
        state.withLock { state in
            let watch = Subscription(number: state.nextWatch)
            state.nextWatch += 1
            state.watchers[watch] = body
            return watch
        }
    }

    func end(_ watch: Subscription) {
        state.withLock { _ = $0.watchers.removeValue(forKey: watch) }
    }
}
