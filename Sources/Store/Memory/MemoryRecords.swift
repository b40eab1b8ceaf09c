import Affinity
import Synchronization

/// The records of a single replica, shared by its event loops: the data behind `MemoryStore`.
///
/// Bounded: when it is full, a new record replaces the one nearest to its end among a few drawn at random.
package final class MemoryRecords: Sendable {
    private let table: Mutex<RecordTable>

    /// - Parameters:
    ///   - capacity: the maximum number of records.
    ///   - seed: seeds the random draw.
    package init(capacity: Int, seed: UInt64) {
        table = Mutex(RecordTable(capacity: capacity, seed: seed))
    }

    /// Records kept, possibly including expired ones.
    package var count: Int { table.withLock { $0.count } }

    func result(_ operation: StoreOperation, now: Instant) -> StoreResult {
        table.withLock { $0.result(operation, now: now) }
    }
}
