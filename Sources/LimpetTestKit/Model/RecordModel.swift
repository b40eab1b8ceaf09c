import Affinity
import Store

/// The effect of an operation on a record: the commands of the protocol's section 3, as a function. The simulated
/// servers and the store of the decision tests use it; `StoreCase` verifies that it matches Redis.
struct RecordModel {
    enum Effect {
        case nothing
        /// The record's lifetime is extended.
        case extend(until: Moment)
        case write(ModelRecord, isPublished: Bool)
    }

    /// False: a restore never overrides a record.
    var restores = true
    /// False: a rebind sets without comparing.
    var compares = true

    /// - Parameter record: the record that exists and has not expired, if any.
    func result(_ operation: StoreOperation, record: ModelRecord?, now: Moment) -> (StoreResult, Effect) {
        guard operation.isWritable else { return (.unavailable(.refused), .nothing) }
        let expires = now + min(operation.lifetimeMilliseconds, .max / 2000) * 1000
        switch operation {
        case .read: return (record?.result(to: operation, now: now) ?? .absent, .nothing)
        case .touch:
            guard var record else { return (.absent, .nothing) }
            record.expires = expires
            return (record.result(to: operation, now: now), .extend(until: expires))
        case .drop(_, let above, _): return drop(operation, above: above, record, until: expires, now: now)
        case .create(_, let backend, _, let createdAtSeconds):
            if let record { return (record.result(to: operation, now: now), .nothing) }
            return write(Binding(backend: backend, epoch: 1), createdAtSeconds, until: expires, isPublished: false)
        case .offer(_, let binding, _, let createdAtSeconds):
            if let record { return (record.result(to: operation, now: now), .nothing) }
            return write(binding, createdAtSeconds, until: expires, isPublished: false)
        case .restore(_, let binding, _, let createdAtSeconds):
            if let record, let held = record.binding, held.epoch >= binding.epoch || !restores {
                return (record.result(to: operation, now: now), .nothing)
            }
            return write(binding, createdAtSeconds, until: expires, isPublished: true)
        case .rebind(_, let from, let backend, _, let createdAtSeconds):
            if compares, let record, let held = record.binding,
                held.epoch > from.epoch || held.epoch == from.epoch && held.backend != from.backend
            {
                return (record.result(to: operation, now: now), .nothing)
            }
            let binding = Binding(backend: backend, epoch: from.epoch + 1)
            return write(binding, createdAtSeconds, until: expires, isPublished: true)
        }
    }

    private func write(
        _ binding: Binding, _ createdAtSeconds: UInt32?, until expires: Moment, isPublished: Bool
    ) -> (StoreResult, Effect) {
        let record = ModelRecord(value: .binding(binding, createdAtSeconds: createdAtSeconds), expires: expires)
        return (.written, .write(record, isPublished: isPublished))
    }

    /// A foreign value does not count as a record: its lifetime is ignored.
    private func drop(
        _ operation: StoreOperation, above: UInt32, _ record: ModelRecord?, until expires: Moment, now: Moment
    ) -> (StoreResult, Effect) {
        let held = record.flatMap { $0.binding == nil ? nil : $0 }
        let epoch = max(held?.binding?.epoch ?? 0, above)
        guard epoch < Binding.epochMax else { return (.unavailable(.refused), .nothing) }
        let tombstone = ModelRecord(
            value: .binding(Binding(backend: .tombstone, epoch: epoch + 1), createdAtSeconds: nil),
            expires: max(expires, held?.expires ?? expires))
        return (tombstone.result(to: operation, now: now), .write(tombstone, isPublished: true))
    }
}
