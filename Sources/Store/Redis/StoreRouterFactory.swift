import Affinity
package import Logging
package import NIOCore
import Synchronization

/// Makes the ``StoreRouter`` of each event loop of a replica. The first loops get a connection to each primary; the
/// others forward their operations to these, evenly.
package final class StoreRouterFactory: Sendable {
    private struct State {
        var made = 0
        /// By the primary's number, the loops that have a connection to it.
        var targets: [[ForwardingTarget]]
    }

    private let primaries: [RedisPrimary]
    private let connections: Int
    private let logger: Logger
    private let state: Mutex<State>

    /// - Parameters:
    ///   - primaries: in the order of their numbers.
    ///   - connections: how many loops have a connection to each primary, 1 or more.
    package init(_ primaries: [RedisPrimary], connections: Int, logger: Logger) {
        self.primaries = primaries
        self.connections = max(1, connections)
        self.logger = logger
        state = Mutex(State(targets: primaries.map { _ in [] }))
    }

    /// Must be called on the loop, for one loop after the other.
    package func make(on loop: any EventLoop) -> StoreRouter {
        let index = state.withLock { state in
            defer { state.made += 1 }
            return state.made
        }
        return StoreRouter(PrimaryMap(count: primaries.count)) { store(of: $0, on: loop, index) }
    }

    private func store(of primary: Int, on loop: any EventLoop, _ index: Int) -> StoreRouter.PrimaryStore {
        let targets = state.withLock { $0.targets[primary] }
        if targets.count >= connections {
            return .forwarding(ForwardingStore(eventLoop: loop, target: targets[index % targets.count]))
        }
        let store = RedisStore(eventLoop: loop, primary: primaries[primary], logger: logger)
        let target = ForwardingTarget(store)
        state.withLock { $0.targets[primary].append(target) }
        return .connected(store)
    }
}
