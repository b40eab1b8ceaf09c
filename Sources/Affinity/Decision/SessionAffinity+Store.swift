/// Decides with the store: proposes what is known, obeys the record, and moves sessions off backends that are not
/// usable.
extension SessionAffinity {
    /// Places a session that no replica can know. Nothing is written anywhere until the client returns.
    mutating func placeUnrecorded(_ decision: Decision, _ now: Instant) -> Step {
        guard let index = place(decision, now) else { return .refuse(.noBackend) }
        load.placed(on: index, now: now)
        let binding = Binding(backend: membership.backends[index].hash, epoch: 1)
        return .forward(Route(backend: index, binding: binding, provenance: .placed))
    }

    /// Offers the store the best live knowledge, or a placement if there is none.
    mutating func writeKnown(_ decision: inout Decision, _ known: KnownBinding?, _ now: Instant) -> Step {
        decision.isPlacement = false
        if let known, usable(known.binding.backend) != nil {
            // D8
            return send(&decision, offer(known, of: decision.fingerprint, now), now)
        }
        // D9. A guess whose backend is not usable does not count: raised to an epoch, it would override a record.
        if let known, !known.isGuess {
            switch unavailableAction(of: decision.fingerprint, from: known.binding, now, storeIsAway: false) {
            case .move: return move(&decision, from: known.binding, createdAtSeconds: known.createdAtSeconds, now)
            // The session may have been moved already; then the store returns where it is.
            case .detour, .reject: return send(&decision, offer(known, of: decision.fingerprint, now), now)
            }
        }
        // D10
        let expired = isRecordDoubtful(decision.fingerprint, now) ? expiredPlace(of: decision.fingerprint, now) : nil
        guard let index = expired?.backend ?? place(decision, now) else { return .refuse(.noBackend) }
        decision.isPlacement = expired == nil
        let expiry = expiry(createdAtSeconds: expired?.createdAtSeconds, now)
        let hash = membership.backends[index].hash
        return send(
            &decision,
            .create(
                decision.fingerprint, hash, lifetimeMilliseconds: expiry.lifetimeMilliseconds,
                createdAtSeconds: expiry.createdAtSeconds),
            now)
    }

    /// Whether the absence of a record may be a loss: a replica offers what it knows to the store, or may be about to.
    private func isRecordDoubtful(_ fingerprint: Fingerprint, _ now: Instant) -> Bool {
        coherence.isRefilling || !coherence.isLive(for: fingerprint, now: now)
    }

    /// The operation that tells the store what is known here.
    func offer(_ known: KnownBinding, of fingerprint: Fingerprint, _ now: Instant) -> StoreOperation {
        let expiry = expiry(createdAtSeconds: known.createdAtSeconds, now)
        let binding = known.binding
        return binding.epoch <= 1
            ? .create(
                fingerprint, binding.backend, lifetimeMilliseconds: expiry.lifetimeMilliseconds,
                createdAtSeconds: expiry.createdAtSeconds)
            : .restore(
                fingerprint, binding, lifetimeMilliseconds: expiry.lifetimeMilliseconds,
                createdAtSeconds: expiry.createdAtSeconds)
    }

    /// The session's binding is a tombstone, or to a backend that is not usable.
    mutating func reassign(_ decision: inout Decision, _ binding: Binding, createdAtSeconds: UInt32?, _ now: Instant)
        -> Step
    {
        switch unavailableAction(of: decision.fingerprint, from: binding, now, storeIsAway: false) {
        case .move: move(&decision, from: binding, createdAtSeconds: createdAtSeconds, now)
        case .detour: detour(decision, from: binding)
        case .reject: .refuse(.backendUnavailable)
        }
    }

    /// Moves the session to the first usable backend in its order; a dropped session is placed like a new one.
    private mutating func move(
        _ decision: inout Decision, from binding: Binding, createdAtSeconds: UInt32?, _ now: Instant
    ) -> Step {
        let target = binding.isTombstone ? place(decision, now) : firstUsable(decision.fingerprint)
        // D30
        guard let target else { return .refuse(.noBackend) }
        // D31
        guard binding.epoch < Binding.epochMax else { return detour(decision, now) }
        let hash = membership.backends[target].hash
        let createdAtSeconds = binding.isTombstone ? nil : createdAtSeconds
        return send(&decision, rebind(decision, from: binding, to: hash, createdAtSeconds: createdAtSeconds, now), now)
    }

    func rebind(
        _ decision: Decision, from binding: Binding, to backend: BackendHash, createdAtSeconds: UInt32?, _ now: Instant
    ) -> StoreOperation {
        let expiry = expiry(createdAtSeconds: createdAtSeconds, now)
        return .rebind(
            decision.fingerprint, from: binding, to: backend, lifetimeMilliseconds: expiry.lifetimeMilliseconds,
            createdAtSeconds: expiry.createdAtSeconds)
    }

    /// Sends the operation, if the request has operations and time left.
    mutating func send(_ decision: inout Decision, _ operation: StoreOperation, _ now: Instant) -> Step {
        // D20
        guard decision.operations < Self.operationsMax else { return detour(decision, now) }
        if let firstSentAt = decision.firstSentAt {
            // D21
            guard now < firstSentAt.advanced(byMilliseconds: settings.budgetMilliseconds) else {
                return decideWithoutStore(decision, now)
            }
        } else {
            decision.firstSentAt = now
        }
        decision.operations += 1
        return .send(operation)
    }

    /// Keeps the record that the store holds and routes by it, unless a higher epoch is known here, or the result is
    /// superseded or older than the lease.
    mutating func fill(
        _ decision: inout Decision, _ record: StoredRecord, stamp: OperationStamp, provenance: Provenance,
        _ now: Instant
    ) -> Step {
        let isKept = confirm(record, of: decision.fingerprint, stamp: stamp, now)
        let entry = cache.peek(decision.fingerprint, now: now)
        let known = KnownBinding(entry: entry, hint: decision.hint)
        // D17
        if let known, known.binding.epoch > record.binding.epoch {
            if let entry, isCurrent(entry, of: decision.fingerprint, decision.hint, now) {
                return route(
                    &decision, entry.binding, createdAtSeconds: entry.createdAtSeconds, provenance: .cached, now)
            }
            return writeKnown(&decision, known, now)
        }
        // D18, else D19
        guard isKept, !isStale(stamp, now) else { return writeKnown(&decision, known, now) }
        let step = route(
            &decision, record.binding, createdAtSeconds: record.createdAtSeconds, provenance: provenance, now)
        return touching(record, of: decision.fingerprint, step, now)
    }

    /// A record that is about to end is touched even if its entry has already ended: entries end up to 67 ms earlier.
    private func touching(_ record: StoredRecord, of fingerprint: Fingerprint, _ step: Step, _ now: Instant) -> Step {
        guard case .forward(let route) = step, route.touch == nil, route.binding == record.binding,
            cache.peek(fingerprint, now: now) == nil,
            record.remainingMilliseconds * 20 < settings.recordLifetimeMilliseconds * 3
        else { return step }
        let expiry = expiry(createdAtSeconds: record.createdAtSeconds, now)
        guard expiry.lifetimeMilliseconds > record.remainingMilliseconds else { return step }
        return .forward(
            Route(
                backend: route.backend, binding: route.binding, provenance: route.provenance,
                touch: .touch(fingerprint, lifetimeMilliseconds: expiry.lifetimeMilliseconds),
                createdAtSeconds: route.createdAtSeconds))
    }

    /// Routes by a binding if its backend is usable; else reassigns the session.
    private mutating func route(
        _ decision: inout Decision, _ binding: Binding, createdAtSeconds: UInt32?, provenance: Provenance,
        _ now: Instant
    ) -> Step {
        guard let index = usable(binding.backend) else {
            return reassign(&decision, binding, createdAtSeconds: createdAtSeconds, now)
        }
        guard let entry = cache.peek(decision.fingerprint, now: now), entry.binding == binding else {
            return .forward(
                Route(backend: index, binding: binding, provenance: provenance, createdAtSeconds: createdAtSeconds))
        }
        let touch = dueTouch(decision.fingerprint, entry, now)
        return .forward(
            Route(
                backend: index, binding: binding, provenance: provenance, touch: touch,
                createdAtSeconds: entry.createdAtSeconds))
    }

    /// The usable backend by which this replica's entry wins over the store's record, if there is one.
    func conflictingBackend(by record: Binding, _ fingerprint: Fingerprint, _ now: Instant) -> BackendHash? {
        guard let entry = cache.peek(fingerprint, now: now), entry.conflicts(by: record),
            usable(entry.binding.backend) != nil
        else { return nil }
        return entry.binding.backend
    }

    /// Remembers what the store reported or wrote; the lifetime counts from when the operation was sent. A result that
    /// is older than the lease, or from a server whose changes are not heard, is suspect. Returns false if a higher
    /// epoch was heard since: then nothing is kept.
    func confirm(_ record: StoredRecord, of fingerprint: Fingerprint, stamp: OperationStamp, _ now: Instant) -> Bool {
        let expiry = expiry(createdAtSeconds: record.createdAtSeconds, now)
        let entry = BindingCache.Entry(
            binding: record.binding, kind: .confirmed, confirmedAt: stamp.sentAt,
            expiresAt: stamp.sentAt.advanced(
                byMilliseconds: min(record.remainingMilliseconds, expiry.lifetimeMilliseconds)),
            isSuspect: isStale(stamp, now) || !stamp.isFromChannelServer, createdAtSeconds: expiry.createdAtSeconds)
        return cache.fill(entry, for: fingerprint, sentAt: stamp.sentAt, now: now)
    }

    /// Whether a result was in flight, or unread, for longer than the lease: it then proves nothing.
    private func isStale(_ stamp: OperationStamp, _ now: Instant) -> Bool {
        now > stamp.sentAt.advanced(byMilliseconds: settings.leaseMilliseconds)
    }

    /// Why a request goes where the result of its own operation sends it. Counts a placement that is now recorded.
    mutating func provenance(
        of operation: StoreOperation, _ decision: inout Decision, _ now: Instant
    ) -> Provenance {
        switch operation {
        case .create(_, let backend, _, _):
            if decision.isPlacement, let index = membership.index(of: backend) { load.placed(on: index, now: now) }
            decision.isPlacement = false
            return .claimed
        case .offer, .restore, .touch, .drop, .read:
            return .claimed
        case .rebind:
            return .rebound
        }
    }
}

/// Whether a session may be moved off a backend that is not usable here.
extension SessionAffinity {
    enum UnavailableAction {
        case move
        /// This request goes elsewhere; the session stays.
        case detour
        case reject
    }

    /// A replica that alone cannot reach a backend moves no session: others may reach it. Nor does it move one while
    /// the channel is not live, because it would not hear that the session was moved already. But if the store is away
    /// as well, no record can be queried, and the session must be served somewhere.
    func unavailableAction(
        of fingerprint: Fingerprint, from binding: Binding, _ now: Instant, storeIsAway: Bool
    ) -> UnavailableAction {
        // D25
        if binding.isTombstone { return .move }
        let isLive = coherence.isLive(for: fingerprint, now: now)
        let isFree = storeIsAway && !isLive
        guard let index = membership.index(of: binding.backend) else {
            // D26. The backend is no longer configured, so it will not come back, unless other replicas are configured
            // differently.
            return coherence.configurationsAgree && (isFree || isLive) ? .move : .detour
        }
        switch settings.onUnavailable {
        case .move: return isFree || isLive && health.mayReassign(index) ? .move : .detour  // D27
        case .detour: return .detour  // D28
        case .reject: return .reject  // D29
        }
    }
}
