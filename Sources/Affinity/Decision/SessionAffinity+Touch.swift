/// Keeps records alive: touches are sent alongside the requests, which do not wait for them.
extension SessionAffinity {
    /// The touch that is due for a binding confirmed by the store, or nil.
    ///
    /// The first is due when less than 3/4 of the lifetime remains. Until it has a result, each further touch waits for
    /// another fifth of the lifetime to pass, so that there are at most four in a lifetime, whatever their results.
    func dueTouch(
        _ fingerprint: Fingerprint, _ entry: BindingCache.Entry, _ now: Instant,
        if isAvailable: @autoclosure () -> Bool = true
    ) -> StoreOperation? {
        guard entry.kind == .confirmed else { return nil }
        let remainingMilliseconds = entry.expiresAt.milliseconds(since: now)
        // Twentieths of the lifetime below which touches 1, 2, 3 and 4 are due: 15, 11, 7, 3.
        let lifetimeMilliseconds = settings.recordLifetimeMilliseconds
        guard entry.touches < 4, remainingMilliseconds * 20 < lifetimeMilliseconds * (15 - 4 * Int64(entry.touches))
        else { return nil }
        let expiry = expiry(createdAtSeconds: entry.createdAtSeconds, now)
        // A session that will soon end by age gains nothing.
        guard (expiry.lifetimeMilliseconds - remainingMilliseconds) * 20 > lifetimeMilliseconds, isAvailable() else {
            return nil
        }
        var number = entry.touches + 1
        while number < 4, remainingMilliseconds * 20 < lifetimeMilliseconds * (15 - 4 * Int64(number)) { number += 1 }
        guard cache.claimTouch(fingerprint, number: number, now: now) else { return nil }
        return .touch(fingerprint, lifetimeMilliseconds: expiry.lifetimeMilliseconds)
    }

    /// Whether the session's record lives at least this long, as far as this replica knows: its own touch, or whatever
    /// else it asked the store, was answered. Also if a touch would gain nothing because the session ends by age.
    package func recordLives(
        forMilliseconds milliseconds: Int64, _ fingerprint: Fingerprint, _ binding: Binding, now: Instant
    ) -> Bool {
        guard let entry = cache.peek(fingerprint, now: now), entry.kind == .confirmed, !entry.isSuspect,
            entry.binding == binding
        else { return false }
        let remainingMilliseconds = entry.expiresAt.milliseconds(since: now)
        let mostMilliseconds = expiry(createdAtSeconds: entry.createdAtSeconds, now).lifetimeMilliseconds
        guard mostMilliseconds < settings.recordLifetimeMilliseconds else {
            return remainingMilliseconds >= milliseconds
        }
        return (mostMilliseconds - remainingMilliseconds) * 20 <= settings.recordLifetimeMilliseconds
    }

    /// The touch that is due for a session that is in use without requests, by a tunnel. Nil if none is due, or if the
    /// store has not confirmed the session's binding to this replica.
    package func touchInUse(
        _ fingerprint: Fingerprint, storeIsAvailable: @autoclosure () -> Bool, now: Instant
    ) -> StoreOperation? {
        guard let entry = cache.peek(fingerprint, now: now) else { return nil }
        return dueTouch(fingerprint, entry, now, if: storeIsAvailable())
    }

    /// The next operation after the result of an operation that no request waits for (a touch, an offer), or of a
    /// follow-up to such a result. Results of follow-ups come here too; a chain ends after three operations.
    package mutating func storeAnsweredInBackground(
        _ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp, now: Instant
    ) -> StoreOperation? {
        let fingerprint = operation.fingerprint
        let isQuestion = noteAnswer(result, to: operation, now)
        switch result {
        case .written:
            guard let record = operation.written else { return nil }
            noteWritten(operation, record.binding, now)
            _ = confirm(record, of: fingerprint, stamp: stamp, now)
            return nil
        case .record(let record):
            return found(record, operation, stamp: stamp, now)
        case .absent:
            return operation.isTouch ? restoring(fingerprint, now) : nil
        case .foreign:
            return operation.overForeign
                ?? (operation.isTouch ? restoring(fingerprint, isForeign: true, now) : nil)
        case .readOnly:
            if !isQuestion { offerAgain(operation, now) }
            return nil
        case .unavailable(let failure):
            guard !isQuestion else { return nil }
            noteUnanswered(operation, failure, now)
            offerAgain(operation, now)
            return nil
        }
    }

    private mutating func found(
        _ record: StoredRecord, _ operation: StoreOperation, stamp: OperationStamp, _ now: Instant
    ) -> StoreOperation? {
        let fingerprint = operation.fingerprint
        if operation.isTouch || operation.isFirstOffer,
            let mine = conflictingBackend(by: record.binding, fingerprint, now)
        {
            let expiry = expiry(createdAtSeconds: record.createdAtSeconds, now)
            return .rebind(
                fingerprint, from: record.binding, to: mine, lifetimeMilliseconds: expiry.lifetimeMilliseconds,
                createdAtSeconds: expiry.createdAtSeconds)
        }
        // A drop, or an own write that was repeated and that the store still holds: repeat it again if the store loses
        // it.
        if operation.isBroadcast, operation.intendedBinding == record.binding || record.binding.isTombstone {
            noteWritten(operation, record.binding, now)
        }
        if !operation.isTouch, let longer = extending(record, of: fingerprint, now) { return longer }
        if operation.isTouch, let known = confirmed(fingerprint, now), known.binding.epoch > record.binding.epoch {
            return offer(known, of: fingerprint, now)
        }
        _ = confirm(record, of: fingerprint, stamp: stamp, now)
        return nil
    }

    /// The touch that gives a record the life which this replica knows. Others may have refilled the store with what
    /// they knew of the session, and they may not have heard of its last touches.
    private func extending(_ record: StoredRecord, of fingerprint: Fingerprint, _ now: Instant) -> StoreOperation? {
        guard let entry = cache.peek(fingerprint, now: now), entry.kind == .confirmed, entry.binding == record.binding
        else { return nil }
        let lifetimeMilliseconds = entry.expiresAt.milliseconds(since: now)
        guard record.remainingMilliseconds < lifetimeMilliseconds / 4 * 3 else { return nil }
        return .touch(fingerprint, lifetimeMilliseconds: lifetimeMilliseconds)
    }

    /// The operation to send after the store has lost what it once confirmed, or holds a foreign value in its place.
    private func restoring(_ fingerprint: Fingerprint, isForeign: Bool = false, _ now: Instant) -> StoreOperation? {
        guard let known = confirmed(fingerprint, now) else { return nil }
        guard isForeign else { return offer(known, of: fingerprint, now) }
        let expiry = expiry(createdAtSeconds: known.createdAtSeconds, now)
        return .restore(
            fingerprint, known.binding, lifetimeMilliseconds: expiry.lifetimeMilliseconds,
            createdAtSeconds: expiry.createdAtSeconds)
    }

    /// What the store once confirmed, if its lifetime is not over.
    private func confirmed(_ fingerprint: Fingerprint, _ now: Instant) -> KnownBinding? {
        guard let entry = cache.peek(fingerprint, now: now), entry.kind == .confirmed, !entry.binding.isTombstone else {
            return nil
        }
        return KnownBinding(entry: entry, hint: nil)
    }
}

extension StoreOperation {
    /// Whether the operation may be the offer of a guess.
    fileprivate var isFirstOffer: Bool {
        switch self {
        case .create: true
        case .offer, .restore, .rebind, .touch, .drop, .read: false
        }
    }
}
