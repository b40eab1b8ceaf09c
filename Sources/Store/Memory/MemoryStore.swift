package import Affinity
package import NIOCore

/// The store of a single replica: records in its own memory, as one event loop sees them. Confined to that loop.
///
/// Always available. It computes each result immediately and delivers it at the end of the loop's turn.
package final class MemoryStore: BindingStore {
    private struct Told {
        let waiter: any StoreWaiter
        let operation: StoreOperation
        let result: StoreResult
        let stamp: OperationStamp
    }

    private let records: MemoryRecords
    private let eventLoop: any EventLoop
    /// Read on the loop.
    package private(set) var counters = StoreCounters()
    private var results: [Told] = []

    /// - Parameter records: shared with the stores of the replica's other loops.
    package init(records: MemoryRecords, eventLoop: any EventLoop) {
        self.records = records
        self.eventLoop = eventLoop
    }

    package func isAvailable(for _: Fingerprint) -> Bool { true }

    package func send(_ operation: StoreOperation, for waiter: any StoreWaiter) {
        let now = Instant.now
        counters.countSent(operation)
        if results.isEmpty { eventLoop.assumeIsolated().execute { self.deliver() } }
        let result = records.result(operation, now: now)
        results.append(Told(waiter: waiter, operation: operation, result: result, stamp: OperationStamp(sentAt: now)))
    }

    private func deliver() {
        let told = results
        results.removeAll()
        let now = Instant.now
        for each in told {
            counters.countAnswered(each.result, microseconds: (now.nanoseconds &- each.stamp.sentAt.nanoseconds) / 1000)
            each.waiter.storeAnswered(each.result, to: each.operation, stamp: each.stamp)
        }
    }
}
