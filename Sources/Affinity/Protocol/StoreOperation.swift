/// An operation on one session's record in the store. Lifetimes are in milliseconds and positive. `createdAtSeconds` is
/// when the session began, in seconds since 1970; records carry it if sessions end by age.
package enum StoreOperation: Hashable, Sendable {
    /// Bind at epoch 1 if the record is absent, else say what is there.
    case create(Fingerprint, BackendHash, lifetimeMilliseconds: Int64, createdAtSeconds: UInt32? = nil)
    /// Write the binding, of an epoch above 1 or over a foreign value, if the record is absent, foreign or of a lower
    /// epoch; else say what is there.
    case restore(Fingerprint, Binding, lifetimeMilliseconds: Int64, createdAtSeconds: UInt32? = nil)
    /// Compare-and-set: bind to `to` at `from.epoch + 1`, unless the record's epoch is above `from.epoch`, or equal
    /// with another backend; then say what is there.
    case rebind(
        Fingerprint, from: Binding, to: BackendHash, lifetimeMilliseconds: Int64, createdAtSeconds: UInt32? = nil)
    /// Extend the lifetime and say what is there.
    case touch(Fingerprint, lifetimeMilliseconds: Int64)
    /// Write a tombstone one epoch above the record, and above the epoch `above`; say which.
    case drop(Fingerprint, above: UInt32, lifetimeMilliseconds: Int64)
    /// Say what is there, and change nothing: for whoever looks on. No decision asks it.
    case read(Fingerprint)

    package var fingerprint: Fingerprint {
        switch self {
        case .create(let fingerprint, _, _, _), .restore(let fingerprint, _, _, _),
            .rebind(let fingerprint, _, _, _, _), .touch(let fingerprint, _), .drop(let fingerprint, _, _),
            .read(let fingerprint):
            fingerprint
        }
    }

    /// The binding that stands in the store if this question is answered `written`.
    package var proposal: Binding? {
        switch self {
        case .create(_, let backend, _, _): Binding(backend: backend, epoch: 1)
        case .restore(_, let binding, _, _): binding
        case .rebind(_, let from, let backend, _, _): Binding(backend: backend, epoch: from.epoch &+ 1)
        case .touch, .drop, .read: nil
        }
    }

    /// In milliseconds. A look gives none, so that what it finds may live as long as it will.
    package var lifetimeMilliseconds: Int64 {
        switch self {
        case .create(_, _, let lifetimeMilliseconds, _), .restore(_, _, let lifetimeMilliseconds, _),
            .rebind(_, _, _, let lifetimeMilliseconds, _),
            .touch(_, let lifetimeMilliseconds), .drop(_, _, let lifetimeMilliseconds):
            lifetimeMilliseconds
        case .read: .max
        }
    }

    package var createdAtSeconds: UInt32? {
        switch self {
        case .create(_, _, _, let createdAtSeconds), .restore(_, _, _, let createdAtSeconds),
            .rebind(_, _, _, _, let createdAtSeconds):
            createdAtSeconds
        case .touch, .drop, .read: nil
        }
    }

    /// Whether what it wrote is published, so that every replica hears of it.
    var isBroadcast: Bool {
        switch self {
        case .restore, .rebind, .drop: true
        case .create, .touch, .read: false
        }
    }

    var isTouch: Bool {
        switch self {
        case .touch: true
        case .create, .restore, .rebind, .drop, .read: false
        }
    }
}

/// What the store holds of a session.
package struct StoredRecord: Hashable, Sendable {
    package let binding: Binding
    /// How long it has to live, in milliseconds. Never above what was asked for.
    package let remainingMilliseconds: Int64
    /// When the session began, in seconds since 1970, where the record says so.
    package let createdAtSeconds: UInt32?

    package init(_ binding: Binding, remainingMilliseconds: Int64, createdAtSeconds: UInt32? = nil) {
        self.binding = binding
        self.remainingMilliseconds = remainingMilliseconds
        self.createdAtSeconds = createdAtSeconds
    }
}

/// What the store answers. A store that fails is an answer, not an error: every caller handles it.
package enum StoreResult: Hashable, Sendable {
    /// The question's binding was written, with the whole lifetime asked for.
    case written
    /// The record that the store holds. A tombstone is one.
    case record(StoredRecord)
    /// The store refused to write (OOM, READONLY, NOREPLICAS …), and holds this record, as far as it knows: a server
    /// that takes no writes may be behind.
    case readOnly(StoredRecord)
    /// There is no record. Only a touch or a look is answered so.
    case absent
    /// The store holds something that Limpet would not write.
    case foreign
    /// Not asked, not answered within the budget, or refused and there is no record.
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

extension StoreResult {
    package static func record(_ binding: Binding, remainingMilliseconds: Int64, createdAtSeconds: UInt32? = nil)
        -> StoreResult
    {
        .record(StoredRecord(binding, remainingMilliseconds: remainingMilliseconds, createdAtSeconds: createdAtSeconds))
    }

    package static func readOnly(_ binding: Binding, remainingMilliseconds: Int64, createdAtSeconds: UInt32? = nil)
        -> StoreResult
    {
        .readOnly(
            StoredRecord(binding, remainingMilliseconds: remainingMilliseconds, createdAtSeconds: createdAtSeconds))
    }
}

extension StoreOperation {
    /// What the store holds when it has written what the question proposes; nil where it proposes nothing.
    var written: StoredRecord? {
        proposal.map {
            StoredRecord($0, remainingMilliseconds: lifetimeMilliseconds, createdAtSeconds: createdAtSeconds)
        }
    }

    /// What to ask where the store holds a value that Limpet would not write: a script replaces that. Nil where a
    /// script has been asked already.
    var overForeign: StoreOperation? {
        guard case .create(let fingerprint, let backend, let lifetimeMilliseconds, let createdAtSeconds) = self else {
            return nil
        }
        return .restore(
            fingerprint, Binding(backend: backend, epoch: 1), lifetimeMilliseconds: lifetimeMilliseconds,
            createdAtSeconds: createdAtSeconds)
    }
}

/// How a question was put to the store, by which its answer is judged.
package struct OperationStamp: Hashable, Sendable {
    /// When it was handed to the store. Lifetimes count from here.
    package let sentAt: Instant
    /// Whether it went to the server whose changes the coherence channel hears. What another server says may be
    /// superseded without a word.
    package let isFromChannelServer: Bool

    package init(sentAt: Instant, isFromChannelServer: Bool = true) {
        self.sentAt = sentAt
        self.isFromChannelServer = isFromChannelServer
    }
}

extension StoreOperation {
    /// Whether what it asks to write is a record that every replica would read back. Not so at the end of the
    /// epochs, where a rebind would write a foreign value, nor for a guess.
    package var isWritable: Bool {
        guard lifetimeMilliseconds > 0, createdAtSeconds != 0 else { return false }
        if case .drop(_, let above, _) = self { return above < Binding.epochMax }
        guard let proposal else { return true }
        return proposal.epoch <= Binding.epochMax && Binding(record: proposal.record) == proposal
    }
}
