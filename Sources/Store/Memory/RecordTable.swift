import Affinity

/// Records in memory, with the semantics of the commands and scripts that `RedisStore` sends. It never holds a foreign
/// value.
struct RecordTable {
    private struct Record {
        var fingerprint: Fingerprint
        var binding: Binding
        var end: Instant
        var createdAtSeconds: UInt32?
    }

    /// How many records are drawn to find one to replace.
    private static let drawn = 8

    private let capacity: Int
    private var places: [Fingerprint: Int] = [:]
    private var records: [Record] = []
    private var random: UInt64

    init(capacity: Int, seed: UInt64) {
        self.capacity = max(1, capacity)
        random = seed | 1
    }

    var count: Int { records.count }

    mutating func result(_ operation: StoreOperation, now: Instant) -> StoreResult {
        guard operation.isWritable else { return .unavailable(.refused) }
        let place = places[operation.fingerprint]
        let end = now.advanced(byMilliseconds: operation.lifetimeMilliseconds)
        guard let place, records[place].end > now else {
            if case .drop(_, let above, _) = operation { return bury(operation, above: above, at: place, end) }
            guard let intendedBinding = operation.intendedBinding else { return .absent }
            write(operation, intendedBinding, at: place, end)
            return .written
        }
        let held = records[place]
        let remainingMilliseconds = min(operation.lifetimeMilliseconds, held.end.milliseconds(since: now))
        switch operation {
        case .touch:
            records[place].end = end
            return .record(
                held.binding, remainingMilliseconds: operation.lifetimeMilliseconds,
                createdAtSeconds: held.createdAtSeconds)
        case .read:
            return .record(
                held.binding, remainingMilliseconds: remainingMilliseconds, createdAtSeconds: held.createdAtSeconds)
        case .drop(_, let above, _):
            return bury(operation, above: max(above, held.binding.epoch), at: place, max(end, held.end))
        case .create, .offer, .restore, .rebind:
            guard let intendedBinding = operation.intendedBinding, operation.overrides(held.binding) else {
                return .record(
                    held.binding, remainingMilliseconds: remainingMilliseconds, createdAtSeconds: held.createdAtSeconds)
            }
            write(operation, intendedBinding, at: place, end)
            return .written
        }
    }

    private mutating func bury(_ operation: StoreOperation, above epoch: UInt32, at place: Int?, _ end: Instant)
        -> StoreResult
    {
        guard epoch < Binding.epochMax else { return .unavailable(.refused) }
        let tombstone = Binding(backend: .tombstone, epoch: epoch + 1)
        write(operation, tombstone, at: place, end)
        return .record(tombstone, remainingMilliseconds: operation.lifetimeMilliseconds)
    }

    private mutating func write(_ operation: StoreOperation, _ binding: Binding, at known: Int?, _ end: Instant) {
        let record = Record(
            fingerprint: operation.fingerprint, binding: binding, end: end, createdAtSeconds: operation.createdAtSeconds
        )
        if let known {
            records[known] = record
        } else if records.count < capacity {
            places[record.fingerprint] = records.count
            records.append(record)
        } else {
            let place = nearestToEnd()
            places[records[place].fingerprint] = nil
            places[record.fingerprint] = place
            records[place] = record
        }
    }

    private mutating func nearestToEnd() -> Int {
        var nearest = draw()
        for _ in 1..<Self.drawn {
            let other = draw()
            if records[other].end < records[nearest].end { nearest = other }
        }
        return nearest
    }

    /// The index of a random record, by xorshift64.
    private mutating func draw() -> Int {
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        return Int(random.multipliedFullWidth(by: UInt64(records.count)).high)
    }
}

extension StoreOperation {
    /// Whether the binding that the operation writes supersedes an existing record.
    fileprivate func overrides(_ held: Binding) -> Bool {
        switch self {
        case .create, .offer, .touch, .drop, .read: false
        case .restore(_, let binding, _, _): held.epoch < binding.epoch
        case .rebind(_, let from, _, _, _): held.epoch < from.epoch || held == from
        }
    }
}
