import Affinity
import Synchronization

/// The records of a single replica, shared by its event loops: what `MemoryStore` asks.
///
/// Bounded: where a record would be one too many, the one nearest to its end among a few drawn at random makes room.
package final class MemoryRecords: Sendable {
    private let table: Mutex<RecordTable>

    /// - Parameters:
    ///   - capacity: the most records kept.
    ///   - seed: of the draw.
    package init(capacity: Int, seed: UInt64) {
        table = Mutex(RecordTable(capacity: capacity, seed: seed))
    }

    /// Records kept; some may be over their lifetime.
    package var count: Int { table.withLock { $0.count } }

    func result(_ operation: StoreOperation, now: Instant) -> StoreResult {
        table.withLock { $0.result(operation, now: now) }
    }
}
