import Affinity
import NIOCore
import Store
import Synchronization

/// A store in memory that counts what it is asked. Confined to its loop, but for the count.
final class CountingStore: BindingStore {
    final class Count: Sendable {
        private let number = Mutex(0)

        var value: Int { number.withLock { $0 } }

        func add() { number.withLock { $0 += 1 } }
    }

    private let store: MemoryStore
    private let count: Count

    init(_ loop: any EventLoop, _ count: Count) {
        store = MemoryStore(records: MemoryRecords(capacity: 1000, seed: 1), eventLoop: loop)
        self.count = count
    }

    func isAvailable(for _: Fingerprint) -> Bool { true }

    func send(_ operation: StoreOperation, for waiter: any StoreWaiter) {
        count.add()
        store.send(operation, for: waiter)
    }
}

/// A store that is away.
final class AwayStore: BindingStore {
    init(_ loop: any EventLoop) {}

    func isAvailable(for _: Fingerprint) -> Bool { false }

    func send(_ operation: StoreOperation, for waiter: any StoreWaiter) {}
}
