/// Deciding with the store: proposing what is known, obeying what it holds, moving off what is not usable.
extension SessionAffinity {
    /// A session that nobody can know: placed, and nothing written anywhere until the client returns.
    mutating func placeUnrecorded(_ decision: Decision, _ now: Instant) -> Step {
        guard let index = place(decision, now) else { return .refuse(.noBackend) }
        load.placed(on: index, now: now)
        let binding = Binding(backend: membership.backends[index].hash, epoch: 1)
        return .forward(Route(backend: index, binding: binding, provenance: .placed))
    }

    /// Offers the store the best living knowledge, or a placement where there is none.
    mutating func propose(_ decision: inout Decision, _ known: Knowledge?, _ now: Instant) -> Step {
        if let known, usable(known.binding.backend) != nil {
            let binding = known.binding
            let question: StoreQuestion =
                binding.epoch <= 1
                ? .create(decision.fingerprint, binding.backend, lifetime: settings.recordLifetime)
                : .restore(decision.fingerprint, binding, lifetime: settings.recordLifetime)
            return ask(&decision, question, now)
        }
        // A guess whose backend is gone is no knowledge: raised to an epoch, it would override a record.
        if let known, !known.isGuess { return move(&decision, from: known.binding, now) }
        guard let index = place(decision, now) else { return .refuse(.noBackend) }
        decision.isPlacement = true
        let hash = membership.backends[index].hash
        return ask(&decision, .create(decision.fingerprint, hash, lifetime: settings.recordLifetime), now)
    }

    /// Moves the session off a binding that is a tombstone or whose backend is not usable: to the first in its order.
    mutating func move(_ decision: inout Decision, from binding: Binding, _ now: Instant) -> Step {
        guard let index = firstUsable(decision.fingerprint) else { return .refuse(.noBackend) }
        guard binding.epoch < Binding.epochMax else { return detour(decision, now) }
        return ask(&decision, rebind(decision, from: binding, to: membership.backends[index].hash), now)
    }

    func rebind(_ decision: Decision, from binding: Binding, to backend: BackendHash) -> StoreQuestion {
        .rebind(decision.fingerprint, from: binding, to: backend, lifetime: settings.recordLifetime)
    }

    /// Asks, while the request has questions and time left.
    mutating func ask(_ decision: inout Decision, _ question: StoreQuestion, _ now: Instant) -> Step {
        guard decision.questions < Self.questionsMax else { return detour(decision, now) }
        if let asking = decision.asking {
            guard now < asking.advanced(byMilliseconds: settings.budget) else { return decideAlone(decision, now) }
        } else {
            decision.asking = now
        }
        decision.questions += 1
        return .ask(question)
    }

    /// The store holds `binding`. Obeys it, unless more is known by now or its backend is not usable.
    mutating func settle(
        _ decision: inout Decision, _ binding: Binding, provenance: Provenance, _ now: Instant
    ) -> Step {
        let entry = cache.peek(decision.fingerprint, now: now)
        if let known = Knowledge(entry: entry, hint: decision.hint), known.binding.epoch > binding.epoch {
            return propose(&decision, known, now)
        }
        guard let index = usable(binding.backend) else { return move(&decision, from: binding, now) }
        let touch = entry.flatMap { $0.binding == binding ? dueTouch(decision.fingerprint, $0, now) : nil }
        return .forward(Route(backend: index, binding: binding, provenance: provenance, touch: touch))
    }

    /// The backend that this replica had confirmed at epoch 1, where the store now holds another at epoch 1: somebody
    /// bound the session anew who did not know, after the store had lost it.
    func unheard(by record: Binding, _ fingerprint: Fingerprint, _ now: Instant) -> BackendHash? {
        guard record.epoch == 1, !record.isTombstone, let entry = cache.peek(fingerprint, now: now),
            entry.kind == .confirmed, entry.binding.epoch == 1, entry.binding.backend != record.backend,
            usable(entry.binding.backend) != nil
        else { return nil }
        return entry.binding.backend
    }

    /// Remembers what the store said or wrote. Its lifetime counts from when it was asked.
    func confirm(
        _ binding: Binding, of fingerprint: Fingerprint, asked: Instant, remaining: Int64, _ now: Instant
    ) {
        let expiresAt = asked.advanced(byMilliseconds: min(remaining, settings.recordLifetime))
        let entry = BindingCache.Entry(
            binding: binding, kind: .confirmed, confirmedAt: asked, expiresAt: expiresAt)
        cache.store(entry, for: fingerprint, now: now)
    }

    /// Why a request goes where a question of its own made the store point. Counts a placement that is now recorded.
    mutating func provenance(
        of question: StoreQuestion, _ decision: inout Decision, _ now: Instant
    ) -> Provenance {
        switch question {
        case .create(_, let backend, _):
            if decision.isPlacement, let index = membership.index(of: backend) { load.placed(on: index, now: now) }
            decision.isPlacement = false
            return .claimed
        case .restore, .touch:
            return .claimed
        case .rebind:
            return .rebound
        }
    }

    /// The first placement of a session, with bounded load.
    private mutating func place(_ decision: Decision, _ now: Instant) -> Int? {
        load.choose(decision.fingerprint, of: membership, now: now) { [health] in health.isUp($0) }
            ?? firstUsable(decision.fingerprint)
    }
}
