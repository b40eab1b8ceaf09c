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
    func remaining(for operation: StoreOperation, now: Moment) -> Int64 {
        min((expires - now) / 1000, operation.lifetime)
    }

    /// What the store says of it to whoever finds it.
    func result(to operation: StoreOperation, now: Moment) -> StoreResult {
        guard let binding else { return .foreign }
        return .record(binding, remaining: remaining(for: operation, now: now), createdAtSeconds: createdAtSeconds)
    }
}
