package import Affinity
package import Logging
package import NIOCore
import NIOPosix
package import Proxy
package import Store

/// The running data plane of a replica: event loops with their workers, store connections and listeners.
///
/// Started bottom up (store, workers, listeners) and ended top down.
package final class DataPlane: Sendable {
    /// How long exchanges that are under way may take once the stop has begun.
    package static let grace = Duration.seconds(30)

    private let group: MultiThreadedEventLoopGroup
    private let loops: [LoopPlane]
    private let listeners: [Listener]
    private let cache: BindingCache
    private let gate: ConnectionGate
    package let services: [Service]

    /// What one event loop holds.
    fileprivate struct LoopPlane: Sendable {
        let worker: NIOLoopBound<Worker>
        let store: NIOLoopBound<any LoopStore>
        var loop: any EventLoop { worker.eventLoop }
    }

    private init(
        group: MultiThreadedEventLoopGroup, loops: [LoopPlane], listeners: [Listener], cache: BindingCache,
        gate: ConnectionGate, services: [Service]
    ) {
        self.group = group
        self.loops = loops
        self.listeners = listeners
        self.cache = cache
        self.gate = gate
        self.services = services
    }
}
