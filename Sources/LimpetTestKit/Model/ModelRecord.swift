import Affinity

/// A record, as the models of the store keep it.
struct ModelRecord {
    enum Value: Equatable {
        case binding(Binding, born: UInt32?)
        case foreign
    }

    var value: Value
    var expires: Moment

    var binding: Binding? {
        if case .binding(let binding, _) = value { binding } else { nil }
    }

    var born: UInt32? {
        if case .binding(_, let born) = value { born } else { nil }
    }

    /// In milliseconds, and never above what was asked for.
    func remaining(for question: StoreQuestion, now: Moment) -> Int64 {
        min((expires - now) / 1000, question.lifetime)
    }

    /// What the store says of it to whoever finds it.
    func answer(to question: StoreQuestion, now: Moment) -> StoreAnswer {
        guard let binding else { return .foreign }
        return .record(binding, remaining: remaining(for: question, now: now), born: born)
    }
}
