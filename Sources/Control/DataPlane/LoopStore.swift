import NIOCore
import Store

/// The store of one event loop, of either kind.
enum LoopStore {
    case redis(StoreRouter)
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
    var isSettled: Bool {
        switch self {
        case .redis(let store): store.isSettled
        case .memory: true
        }
    }

    func start() {
        if case .redis(let store) = self { store.start() }
    }

    /// Must precede the stop of any loop's store.
    func stopForwarding() {
        if case .redis(let store) = self { store.stopForwarding() }
    }

    func stop(on loop: any EventLoop) -> EventLoopFuture<Void> {
        switch self {
        case .redis(let store): store.stop(on: loop)
        case .memory: loop.makeSucceededVoidFuture()
        }
    }
}
