package import Affinity
package import NIOCore

/// The store that replicas share, as one event loop sees it: each operation goes to the primary that holds the
/// session's record. Confined to that loop.
package final class StoreRouter: BindingStore {
    /// How a loop reaches one primary.
    package enum PrimaryStore {
        /// By a connection of its own.
        case connected(RedisStore)
        /// By the connection of another loop.
        case forwarding(ForwardingStore)
    }

    private let primaries: PrimaryMap
    /// By the primary's number.
    private let stores: [PrimaryStore]

    /// - Parameter store: returns how to reach the primary of this number.
    init(_ primaries: PrimaryMap, store: (Int) -> PrimaryStore) {
        self.primaries = primaries
        stores = (0..<primaries.count).map(store)
    }

    // MARK: Operations

    package func isAvailable(for fingerprint: Fingerprint) -> Bool {
        stores[primaries.primary(of: fingerprint)].isAvailable
    }

    package func send(_ operation: StoreOperation, for waiter: any StoreWaiter) {
        switch stores[primaries.primary(of: operation.fingerprint)] {
        case .connected(let store): store.send(operation, for: waiter)
        case .forwarding(let store): store.send(operation, for: waiter)
        }
    }

    // MARK: The whole

    /// Whether operations on all sessions would be sent now.
    package var isAvailable: Bool { stores.allSatisfy(\.isAvailable) }

    /// Whether it is known of each primary whether it is available. A loop that forwards operations cannot know more
    /// than the one that has the connection.
    package var isSettled: Bool {
        stores.allSatisfy { store in
            guard case .connected(let redis) = store else { return true }
            return redis.isAvailable || redis.counters.connectionFailures > 0
        }
    }

    /// Of all primaries. Read on the loop.
    package var counters: StoreCounters {
        stores.dropFirst().reduce(into: stores[0].counters) { $0.add($1.counters) }
    }

    /// The store of a primary, if this loop has a connection of its own.
    package func connectedStore(of primary: Int) -> RedisStore? {
        guard stores.indices.contains(primary), case .connected(let store) = stores[primary] else { return nil }
        return store
    }

    // MARK: Life

    package func start() {
        for store in stores {
            switch store {
            case .connected(let store): store.start()
            case .forwarding(let store): store.start()
            }
        }
    }

    /// Reports a result to all waiters whose operations were forwarded, and forwards no more. Must precede the stop of
    /// any loop's connections.
    package func stopForwarding() {
        for case .forwarding(let store) in stores { store.stop() }
    }

    /// Reports a result to all waiters and closes the connections. The store cannot be started again.
    package func stop(on loop: any EventLoop) -> EventLoopFuture<Void> {
        stopForwarding()
        let ends = stores.compactMap { store -> EventLoopFuture<Void>? in
            guard case .connected(let redis) = store else { return nil }
            return redis.stop()
        }
        return EventLoopFuture.andAllComplete(ends, on: loop)
    }
}

extension StoreRouter.PrimaryStore {
    fileprivate var isAvailable: Bool {
        switch self {
        case .connected(let store): store.isAvailable
        case .forwarding(let store): store.isAvailable
        }
    }

    fileprivate var counters: StoreCounters {
        switch self {
        case .connected(let store): store.counters
        case .forwarding(let store): store.counters
        }
    }
}
