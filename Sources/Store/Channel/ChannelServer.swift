import Affinity
import Synchronization

/// Which server the coherence channel of one primary hears, as all data connections of the replica to that primary
/// compare themselves with: only what the same server says can be superseded by nothing but what is heard.
package final class ChannelServer: Sendable {
    enum Event: Sendable {
        /// The channel hears another server, or none.
        case serverChanged
        /// A data connection found that the channel's server is no primary any more, or has another history.
        case doubted(StoreError)
    }

    /// A name for somebody who watches.
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

    /// Grows with each change of the server, so that comparing costs one load while nothing changes.
    var version: UInt64 { changes.load(ordering: .acquiring) }

    /// The server that is heard; nil while the channel is down.
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

    func doubt(_ error: StoreError) {
        for watcher in state.withLock({ Array($0.watchers.values) }) { watcher(.doubted(error)) }
    }

    /// `body` is called on whatever loop the event came from.
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
