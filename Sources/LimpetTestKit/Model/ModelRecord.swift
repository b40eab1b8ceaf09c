import Affinity

/// A record, as the models of the store keep it.
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

    /// In milliseconds, and never above what was asked for.
    func remainingMilliseconds(for operation: StoreOperation, now: Moment) -> Int64 {
        min((expires - now) / 1000, operation.lifetimeMilliseconds)
    }

    /// What the store says of it to whoever finds it.
    func result(to operation: StoreOperation, now: Moment) -> StoreResult {
        guard let binding else { return .foreign }
        return .record(
            binding, remainingMilliseconds: remainingMilliseconds(for: operation, now: now),
            createdAtSeconds: createdAtSeconds)
    }
}
