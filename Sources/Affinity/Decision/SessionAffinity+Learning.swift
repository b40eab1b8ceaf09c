/// Learns which backend a session key belongs to from the response that issued it.
extension SessionAffinity {
    /// A first operation, one over a foreign value or a tombstone, and one more.
    private static let learningOperationsMax = 3

    /// A response contains a session key: binds it to the backend that issued it, at epoch 1; the first writer wins.
    /// What is already known about the session, here or in the store, is kept.
    ///
    /// The backend itself issued the key, so the binding is knowledge and not a guess: if the store is unavailable, the
    /// binding is remembered, serves this replica's next requests, and is offered to the store after the outage.
    ///
    /// - Returns: an operation for which the response may be held, at most for the budget.
    package mutating func learn(
        _ learning: inout Learning, storeIsAvailable: @autoclosure () -> Bool, now: Instant
    ) -> LearningStep {
        guard membership.index(of: learning.backend) != nil else { return .done }
        if let entry = cache.lookup(learning.fingerprint, now: now), entry.kind != .guess, !entry.binding.isTombstone {
            // The session is not new. The next request does whatever it needs.
            return .done
        }
        guard storeIsAvailable() else { return rememberIssued(learning, now) }
        let expiry = expiry(createdAtSeconds: nil, now)
        return send(
            &learning,
            .create(
                learning.fingerprint, learning.backend, lifetimeMilliseconds: expiry.lifetimeMilliseconds,
                createdAtSeconds: expiry.createdAtSeconds), now)
    }

    /// The next step after the store's result of an operation for this learning, or for a request of the same session.
    package mutating func storeAnswered(
        _ learning: inout Learning, _ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp,
        now: Instant
    ) -> LearningStep {
        let fingerprint = learning.fingerprint
        switch result {
        case .written:
            guard let record = operation.written else { return rememberIssued(learning, now) }
            noteWritten(operation, record.binding, now)
            if let index = membership.index(of: record.binding.backend) { load.placed(on: index, now: now) }
            _ = confirm(record, of: fingerprint, stamp: stamp, now)
            return .done
        case .record(let record):
            let binding = record.binding
            guard binding.isTombstone, binding.epoch < Binding.epochMax else {
                _ = confirm(record, of: fingerprint, stamp: stamp, now)
                return .done
            }
            let expiry = expiry(createdAtSeconds: nil, now)
            return send(
                &learning,
                .rebind(
                    fingerprint, from: binding, to: learning.backend, lifetimeMilliseconds: expiry.lifetimeMilliseconds,
                    createdAtSeconds: expiry.createdAtSeconds), now
            )
        case .foreign:
            guard let next = operation.overForeign else { return rememberIssued(learning, now) }
            return send(&learning, next, now)
        case .readOnly(let record):
            // There is a record; only a dropped session is bound anew.
            return record.binding.isTombstone ? rememberIssued(learning, over: record.binding, now) : .done
        case .absent:
            return rememberIssued(learning, now)
        case .unavailable(let failure):
            noteUnanswered(operation, failure, now)
            return rememberIssued(learning, now)
        }
    }

    /// Sends the operation, if the learning has operations and time left.
    private mutating func send(_ learning: inout Learning, _ operation: StoreOperation, _ now: Instant) -> LearningStep
    {
        let firstSentAt = learning.firstSentAt ?? now
        guard learning.operations < Self.learningOperationsMax,
            now <= firstSentAt.advanced(byMilliseconds: settings.budgetMilliseconds)
        else { return rememberIssued(learning, now) }
        learning.firstSentAt = firstSentAt
        learning.operations += 1
        return .send(operation)
    }

    /// - Parameter tombstone: the record that dropped the session, if known.
    private mutating func rememberIssued(
        _ learning: Learning, over tombstone: Binding? = nil, _ now: Instant
    ) -> LearningStep {
        let entry = cache.peek(learning.fingerprint, now: now)
        // Another request may have learnt the binding meanwhile.
        if let entry, entry.kind != .guess, !entry.binding.isTombstone { return .done }
        let dropped = max(tombstone?.epoch ?? 0, entry?.binding.isTombstone == true ? entry?.binding.epoch ?? 0 : 0)
        guard dropped < Binding.epochMax else { return .done }
        let binding = Binding(backend: learning.backend, epoch: dropped + 1)
        remember(binding, .dirty, createdAtSeconds: nil, of: learning.fingerprint, now)
        return .done
    }
}

/// A session key that a backend has issued, while it is being bound to that backend, unless it is bound already. The
/// exchange keeps it while the store is queried, like a ``Decision``.
package struct Learning: Sendable {
    package let fingerprint: Fingerprint
    /// The backend that issued the key.
    package let backend: BackendHash

    /// When the first operation was sent.
    var firstSentAt: Instant?
    var operations = 0

    package init(fingerprint: Fingerprint, backend: BackendHash) {
        self.fingerprint = fingerprint
        self.backend = backend
    }
}

/// What to do next for a session key that a backend has issued.
package enum LearningStep: Hashable, Sendable {
    /// Nothing more: the binding is known, or will be offered to the store later.
    case done
    /// Send the operation to the store, then pass the result to `storeAnswered`.
    case send(StoreOperation)
}
