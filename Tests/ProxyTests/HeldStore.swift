import Affinity
import NIOCore
import Store

/// A store that answers when the test says so. Confined to its loop.
final class HeldStore: BindingStore {
    private let store: MemoryStore
    private var held: [(StoreQuestion, any StoreWaiter)] = []
    private var isHolding = true

    init(_ loop: any EventLoop) {
        store = MemoryStore(records: MemoryRecords(capacity: 1000, seed: 1), eventLoop: loop)
    }

    func isAvailable(for _: Fingerprint) -> Bool { true }
    var heldCount: Int { held.count }

    func ask(_ question: StoreQuestion, for waiter: any StoreWaiter) {
        guard isHolding else { return store.ask(question, for: waiter) }
        held.append((question, waiter))
    }

    /// Answers what was asked, and all that will be.
    func release() {
        isHolding = false
        for (question, waiter) in held { store.ask(question, for: waiter) }
        held = []
    }
}
