/// What a decision asks of the store. Lifetimes are in milliseconds and positive.
package enum StoreQuestion: Hashable, Sendable {
    /// Bind at epoch 1 if the record is absent, else say what is there.
    case create(Fingerprint, BackendHash, lifetime: Int64)
    /// Write the binding, of an epoch above 1 or over a foreign value, if the record is absent, foreign or of a lower
    /// epoch; else say what is there.
    case restore(Fingerprint, Binding, lifetime: Int64)
    /// Compare-and-set: bind to `to` at `from.epoch + 1`, unless the record's epoch is above `from.epoch`, or equal
    /// with another backend; then say what is there.
    case rebind(Fingerprint, from: Binding, to: BackendHash, lifetime: Int64)
    /// Extend the lifetime and say what is there.
    case touch(Fingerprint, lifetime: Int64)

    package var fingerprint: Fingerprint {
        switch self {
        case .create(let fingerprint, _, _), .restore(let fingerprint, _, _), .rebind(let fingerprint, _, _, _),
            .touch(let fingerprint, _):
            fingerprint
        }
    }

    /// The binding that stands in the store if this question is answered `written`.
    package var proposal: Binding? {
        switch self {
        case .create(_, let backend, _): Binding(backend: backend, epoch: 1)
        case .restore(_, let binding, _): binding
        case .rebind(_, let from, let backend, _): Binding(backend: backend, epoch: from.epoch &+ 1)
        case .touch: nil
        }
    }

    var isTouch: Bool {
        switch self {
        case .touch: true
        case .create, .restore, .rebind: false
        }
    }
}

/// What the store answers. A store that fails is an answer, not an error: every caller handles it.
package enum StoreAnswer: Hashable, Sendable {
    /// The question's binding was written, with the whole lifetime asked for.
    case written
    /// The record that the store holds (a tombstone is one), and the milliseconds it has to live. Never above what
    /// was asked for.
    case record(Binding, remaining: Int64)
    /// There is no record. Only a touch is answered so.
    case absent
    /// The store holds something that Limpet would not write.
    case foreign
    /// Not asked, or not answered within the budget.
    case unavailable(StoreFailure)
}

/// Why the store did not answer. The raw value labels metrics.
package enum StoreFailure: String, Hashable, Sendable, CaseIterable {
    /// No connection, or the breaker is open: not asked at all.
    case away
    /// Asked, but the budget of the request ran out.
    case late
    /// The connection was lost with the question under way.
    case lost
    /// The store refused a write (OOM, READONLY, NOREPLICAS …).
    case refused
    /// The queue of questions is full.
    case full
}
