/// An operation on one session's record in the store. Lifetimes are in milliseconds and positive. `createdAtSeconds` is
/// when the session began, in seconds since 1970; records contain it only if sessions end by age.
package enum StoreOperation: Hashable, Sendable {
    /// Bind at epoch 1 if the record is absent; else return the record.
    case create(Fingerprint, BackendHash, lifetimeMilliseconds: Int64, createdAtSeconds: UInt32? = nil)
    /// Write the binding at its own epoch if the record is absent; else return the record.
    case offer(Fingerprint, Binding, lifetimeMilliseconds: Int64, createdAtSeconds: UInt32? = nil)
    /// Write the binding, of an epoch above 1 or over a foreign value, if the record is absent, foreign or of a lower
    /// epoch; else return the record.
    case restore(Fingerprint, Binding, lifetimeMilliseconds: Int64, createdAtSeconds: UInt32? = nil)
    /// Compare-and-set: bind to `to` at `from.epoch + 1`, unless the record's epoch is above `from.epoch`, or equal
    /// with another backend; then return the record.
    case rebind(
        Fingerprint, from: Binding, to: BackendHash, lifetimeMilliseconds: Int64, createdAtSeconds: UInt32? = nil)
    /// Extend the lifetime and return the record.
    case touch(Fingerprint, lifetimeMilliseconds: Int64)
    /// Write a tombstone one epoch above the record's epoch or `above`, whichever is higher, and return it.
    case drop(Fingerprint, above: UInt32, lifetimeMilliseconds: Int64)
    /// Return the record and change nothing: for inspection only. No decision uses it.
    case read(Fingerprint)

    package var fingerprint: Fingerprint {
        switch self {
        case .create(let fingerprint, _, _, _), .offer(let fingerprint, _, _, _), .restore(let fingerprint, _, _, _),
            .rebind(let fingerprint, _, _, _, _), .touch(let fingerprint, _), .drop(let fingerprint, _, _),
            .read(let fingerprint):
            fingerprint
        }
    }

    /// The binding that the store holds if the result of this operation is `written`.
    package var intendedBinding: Binding? {
        switch self {
        case .create(_, let backend, _, _): Binding(backend: backend, epoch: 1)
        case .offer(_, let binding, _, _), .restore(_, let binding, _, _): binding
        case .rebind(_, let from, let backend, _, _): Binding(backend: backend, epoch: from.epoch &+ 1)
        case .touch, .drop, .read: nil
        }
    }

    /// In milliseconds. A read requests none, so that it does not limit the lifetime of what it finds.
    package var lifetimeMilliseconds: Int64 {
        switch self {
        case .create(_, _, let lifetimeMilliseconds, _), .offer(_, _, let lifetimeMilliseconds, _),
            .restore(_, _, let lifetimeMilliseconds, _), .rebind(_, _, _, let lifetimeMilliseconds, _),
            .touch(_, let lifetimeMilliseconds), .drop(_, _, let lifetimeMilliseconds):
            lifetimeMilliseconds
        case .read: .max
        }
    }

    package var createdAtSeconds: UInt32? {
        switch self {
        case .create(_, _, _, let createdAtSeconds), .offer(_, _, _, let createdAtSeconds),
            .restore(_, _, _, let createdAtSeconds), .rebind(_, _, _, _, let createdAtSeconds):
            createdAtSeconds
        case .touch, .drop, .read: nil
        }
    }

    /// Whether what the operation wrote is published, so that every replica hears of it.
    var isBroadcast: Bool {
        switch self {
        case .restore, .rebind, .drop: true
        case .create, .offer, .touch, .read: false
        }
    }

    var isTouch: Bool {
        switch self {
        case .touch: true
        case .create, .offer, .restore, .rebind, .drop, .read: false
        }
    }
}

/// What the store holds for a session.
package struct StoredRecord: Hashable, Sendable {
    package let binding: Binding
    /// Remaining lifetime in milliseconds. Never above the lifetime that the operation requested.
    package let remainingMilliseconds: Int64
    /// When the session began, in seconds since 1970, if the record contains it.
    package let createdAtSeconds: UInt32?

    package init(_ binding: Binding, remainingMilliseconds: Int64, createdAtSeconds: UInt32? = nil) {
        self.binding = binding
        self.remainingMilliseconds = remainingMilliseconds
        self.createdAtSeconds = createdAtSeconds
    }
}

/// The result of a store operation. A failure is a result, not an error: every caller handles it.
package enum StoreResult: Hashable, Sendable {
    /// The operation's binding was written, with the whole lifetime requested.
    case written
    /// The record that the store holds. It may be a tombstone.
    case record(StoredRecord)
    /// The store refused to write (OOM, READONLY, NOREPLICAS …) and returned this record, which may be out of date: a
    /// server that takes no writes may lag behind.
    case readOnly(StoredRecord)
    /// The record is absent. Only a touch or a read has this result.
    case absent
    /// The store holds a value that Limpet would not write.
    case foreign
    /// The operation was not sent, not answered within the budget, or refused while the record is absent.
    case unavailable(StoreFailure)
}

/// Why the store gave no result. The raw value labels metrics.
package enum StoreFailure: String, Hashable, Sendable, CaseIterable {
    /// No connection, or the breaker did not admit it: nothing was sent.
    case away
    /// Sent, but the budget of the request ran out.
    case late
    /// The connection was lost with the operation in flight.
    case lost
    /// The store refused a write (OOM, READONLY, NOREPLICAS …).
    case refused
    /// The queue of operations is full.
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
    /// What the store holds once it has written the operation's proposal; nil for an operation without a proposal.
    var written: StoredRecord? {
        intendedBinding.map {
            StoredRecord($0, remainingMilliseconds: lifetimeMilliseconds, createdAtSeconds: createdAtSeconds)
        }
    }

    /// If the store holds a foreign value: the `restore` to send after this `create` or `offer`, because its script
    /// replaces the value. Nil for every other operation.
    var overForeign: StoreOperation? {
        switch self {
        case .create, .offer:
            intendedBinding.map {
                .restore(
                    fingerprint, $0, lifetimeMilliseconds: lifetimeMilliseconds, createdAtSeconds: createdAtSeconds)
            }
        case .restore, .rebind, .touch, .drop, .read: nil
        }
    }
}

/// How an operation was sent. Its result is judged by this.
package struct OperationStamp: Hashable, Sendable {
    /// When the operation was handed to the store. Lifetimes count from here.
    package let sentAt: Instant
    /// Whether the operation went to the server whose changes the coherence channel hears. Another server's result may
    /// be superseded without notice.
    package let isFromChannelServer: Bool

    package init(sentAt: Instant, isFromChannelServer: Bool = true) {
        self.sentAt = sentAt
        self.isFromChannelServer = isFromChannelServer
    }
}

extension StoreOperation {
    /// Whether the operation's lifetime is positive and every replica would read back the record that it writes. False
    /// at the end of the epochs, where a rebind would write a foreign value, and for a guess.
    package var isWritable: Bool {
        guard lifetimeMilliseconds > 0, createdAtSeconds != 0 else { return false }
        if case .drop(_, let above, _) = self { return above < Binding.epochMax }
        guard let intendedBinding else { return true }
        return intendedBinding.epoch <= Binding.epochMax && Binding(record: intendedBinding.record) == intendedBinding
    }
}
