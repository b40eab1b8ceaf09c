import Affinity
import NIOCore
import Store

/// A store that answers when the test says so. Confined to its loop.
final class HeldStore: BindingStore {
    private let store: MemoryStore
    private var held: [(StoreOperation, any StoreWaiter)] = []
    private var isHolding = true

    init(_ loop: any EventLoop) {
        store = MemoryStore(records: MemoryRecords(capacity: 1000, seed: 1), eventLoop: loop)
    }

    func isAvailable(for _: Fingerprint) -> Bool { true }
    var heldCount: Int { held.count }
    /// Whether no request waits for what is held.
    var isInBackground: Bool { held.allSatisfy { $0.1.isBackground } }

    func send(_ operation: StoreOperation, for waiter: any StoreWaiter) {
        guard isHolding else { return store.send(operation, for: waiter) }
        held.append((operation, waiter))
    }

    /// Answers what was asked, and all that will be.
    func release() {
        isHolding = false
        for (operation, waiter) in held { store.send(operation, for: waiter) }
        held = []
    }
}
