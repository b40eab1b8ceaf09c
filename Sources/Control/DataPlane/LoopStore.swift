import NIOCore
import Store

/// The store of one event loop, of either kind.
enum LoopStore {
    case redis(RedisStore)
    case memory(MemoryStore)

    var store: any BindingStore {
        switch self {
        case .redis(let store): store
        case .memory(let store): store
        }
    }

    var counters: StoreCounters {
        switch self {
        case .redis(let store): store.counters
        case .memory(let store): store.counters
        }
    }

    /// Whether the store can execute operations now.
    var isAvailable: Bool {
        switch self {
        case .redis(let store): store.isAvailable
        case .memory: true
        }
    }

    /// Whether the store's availability is known.
    var isSettled: Bool { isAvailable || counters.connectionFailures > 0 }

    func start() {
        if case .redis(let store) = self { store.start() }
    }

    func stop(on loop: any EventLoop) -> EventLoopFuture<Void> {
        switch self {
        case .redis(let store): store.stop()
        case .memory: loop.makeSucceededVoidFuture()
        }
    }
}
