import Affinity
import Store

/// What a question does to a record: the commands of the protocol's section 3, as a function. The simulated servers and
/// the store of the decision tests are both made of it; `StoreCase` holds it to what Redis does.
struct RecordModel {
    enum Effect {
        case nothing
        /// The record lives on, until then.
        case extend(until: Moment)
        case write(ModelRecord, isPublished: Bool)
    }

    /// False: a restore overrides no record.
    var restores = true
    /// False: a rebind sets without comparing.
    var compares = true

    /// - Parameter record: the one that lives, if any.
    func answer(_ question: StoreQuestion, record: ModelRecord?, now: Moment) -> (StoreAnswer, Effect) {
        guard question.isWritable else { return (.unavailable(.refused), .nothing) }
        let expires = now + min(question.lifetime, .max / 2000) * 1000
        switch question {
        case .look: return (record?.answer(to: question, now: now) ?? .absent, .nothing)
        case .touch:
            guard var record else { return (.absent, .nothing) }
            record.expires = expires
            return (record.answer(to: question, now: now), .extend(until: expires))
        case .drop(_, let above, _): return drop(question, above: above, record, until: expires, now: now)
        case .create(_, let backend, _, let born):
            if let record { return (record.answer(to: question, now: now), .nothing) }
            return write(Binding(backend: backend, epoch: 1), born, until: expires, isPublished: false)
        case .restore(_, let binding, _, let born):
            if let record, let held = record.binding, held.epoch >= binding.epoch || !restores {
                return (record.answer(to: question, now: now), .nothing)
            }
            return write(binding, born, until: expires, isPublished: true)
        case .rebind(_, let from, let backend, _, let born):
            if compares, let record, let held = record.binding,
                held.epoch > from.epoch || held.epoch == from.epoch && held.backend != from.backend
            {
                return (record.answer(to: question, now: now), .nothing)
            }
            let binding = Binding(backend: backend, epoch: from.epoch + 1)
            return write(binding, born, until: expires, isPublished: true)
        }
    }

    private func write(
        _ binding: Binding, _ born: UInt32?, until expires: Moment, isPublished: Bool
    ) -> (StoreAnswer, Effect) {
        let record = ModelRecord(value: .binding(binding, born: born), expires: expires)
        return (.written, .write(record, isPublished: isPublished))
    }

    /// A foreign value is no record: its lifetime does not count.
    private func drop(
        _ question: StoreQuestion, above: UInt32, _ record: ModelRecord?, until expires: Moment, now: Moment
    ) -> (StoreAnswer, Effect) {
        let held = record.flatMap { $0.binding == nil ? nil : $0 }
        let epoch = max(held?.binding?.epoch ?? 0, above)
        guard epoch < Binding.epochMax else { return (.unavailable(.refused), .nothing) }
        let tombstone = ModelRecord(
            value: .binding(Binding(backend: .tombstone, epoch: epoch + 1), born: nil),
            expires: max(expires, held?.expires ?? expires))
        return (tombstone.answer(to: question, now: now), .write(tombstone, isPublished: true))
    }
}
