import Affinity

/// A record in the models of the store.
struct ModelRecord {
    enum Value: Equatable {
        case binding(Binding, createdAtSeconds: UInt32?)
        case foreign
    }

    var value: Value
    var expires: Moment

    var binding: Binding? {
        if case .binding(let binding, _) = value { binding } else { nil }
    }

    var createdAtSeconds: UInt32? {
        if case .binding(_, let createdAtSeconds) = value { createdAtSeconds } else { nil }
    }

    /// The remaining lifetime in milliseconds, at most the lifetime of the operation.
    func remainingMilliseconds(for operation: StoreOperation, now: Moment) -> Int64 {
        min((expires - now) / 1000, operation.lifetimeMilliseconds)
    }

    /// The result for an operation that finds this record.
    func result(to operation: StoreOperation, now: Moment) -> StoreResult {
        guard let binding else { return .foreign }
        return .record(
            binding, remainingMilliseconds: remainingMilliseconds(for: operation, now: now),
            createdAtSeconds: createdAtSeconds)
    }
}
