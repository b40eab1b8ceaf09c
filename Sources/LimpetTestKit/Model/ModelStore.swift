package import Affinity

/// A store without a server: records with lifetimes, and operations that are executed one at a time.
package struct ModelStore {
    private var records: [Fingerprint: ModelRecord] = [:]
    private let model = RecordModel()
    /// Every binding written, in order, except for drops.
    package private(set) var written: [Binding] = []

    package init() {}

    /// Writes a record without an operation.
    package mutating func put(_ fingerprint: Fingerprint, _ binding: Binding, until expires: Instant) {
        records[fingerprint] = ModelRecord(
            value: .binding(binding, createdAtSeconds: nil), expires: Self.moment(expires))
    }

    /// Writes a foreign value.
    package mutating func putForeign(_ fingerprint: Fingerprint, until expires: Instant) {
        records[fingerprint] = ModelRecord(value: .foreign, expires: Self.moment(expires))
    }

    package mutating func flush() { records = [:] }

    package func binding(_ fingerprint: Fingerprint, now: Instant) -> Binding? {
        living(fingerprint, Self.moment(now))?.binding
    }

    /// The sessions that have a record, in a fixed order.
    package func sessions(now: Instant) -> [Fingerprint] {
        let now = Self.moment(now)
        return records.keys.filter { living($0, now) != nil }.sorted { ($0.high, $0.low) < ($1.high, $1.low) }
    }

    package mutating func result(_ operation: StoreOperation, now: Instant) -> StoreResult {
        let now = Self.moment(now)
        let fingerprint = operation.fingerprint
        let (result, effect) = model.result(operation, record: living(fingerprint, now), now: now)
        switch effect {
        case .nothing: break
        case .extend(let expires): records[fingerprint]?.expires = expires
        case .write(let record, _):
            records[fingerprint] = record
            if result == .written, let binding = record.binding { written.append(binding) }
        }
        return result
    }

    /// An operator's drop: a tombstone with the next epoch.
    package mutating func drop(_ fingerprint: Fingerprint, above: UInt32 = 0, lifetimeMilliseconds: Int64, now: Instant)
    {
        _ = result(.drop(fingerprint, above: above, lifetimeMilliseconds: lifetimeMilliseconds), now: now)
    }

    private func living(_ fingerprint: Fingerprint, _ now: Moment) -> ModelRecord? {
        records[fingerprint].flatMap { $0.expires > now ? $0 : nil }
    }

    private static func moment(_ instant: Instant) -> Moment { instant.nanoseconds / 1000 }
}
