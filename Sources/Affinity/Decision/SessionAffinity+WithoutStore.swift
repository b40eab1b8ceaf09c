/// Decides without the store: it is unavailable, or did not answer in time.
extension SessionAffinity {
    /// - Parameter read: what a store that takes no writes reported.
    mutating func decideWithoutStore(_ decision: Decision, _ now: Instant, read: KnownBinding? = nil) -> Step {
        decideWithoutStore(decision, cache.peek(decision.fingerprint, now: now), now, read: read)
    }

    /// Decides by the best live knowledge, of any age: D22 to D24.
    mutating func decideWithoutStore(
        _ decision: Decision, _ entry: BindingCache.Entry?, _ now: Instant, read: KnownBinding? = nil
    ) -> Step {
        let remembered = KnownBinding(entry: entry, hint: decision.hint)
        guard let known = KnownBinding.best(remembered, read) else { return guess(decision, now) }  // D23
        if let route = route(by: known) { return .forward(route) }  // D22
        if known.isGuess { return guess(decision, now) }  // D23
        // D24
        switch unavailableAction(of: decision.fingerprint, from: known.binding, now, storeIsAway: true) {
        case .move: return moveLocally(decision, from: known, now)
        case .detour: return detour(decision, from: known.binding)
        case .reject: return .refuse(.backendUnavailable)
        }
    }

    /// Records nothing: sends this request to the session's own backend, or if that is not usable to the first usable
    /// one in its order.
    func detour(_ decision: Decision, _ now: Instant) -> Step {
        let known = KnownBinding(entry: cache.peek(decision.fingerprint, now: now), hint: decision.hint)
        if let known, let route = route(by: known) { return .forward(route) }
        return detour(decision, from: known?.binding)
    }

    /// Sends this request where a move would lead, for this request only.
    func detour(_ decision: Decision, from binding: Binding?) -> Step {
        firstUsable(decision.fingerprint).map { detour(to: $0, from: binding) } ?? .refuse(.noBackend)
    }

    func detour(to index: Int, from binding: Binding?) -> Step {
        let binding = binding ?? Binding(backend: membership.backends[index].hash, epoch: 0)
        return .forward(Route(backend: index, binding: binding, provenance: .detoured))
    }

    /// The route to the backend known to be the session's, if that is usable.
    private func route(by known: KnownBinding) -> Route? {
        usable(known.binding.backend).map {
            let provenance: Provenance =
                switch known.origin {
                case .hint: .hinted
                case .read: .stored
                case .guess, .standby, .dirty, .confirmed: .cached
                }
            return Route(
                backend: $0, binding: known.binding, provenance: provenance, createdAtSeconds: known.createdAtSeconds)
        }
    }

    /// Routes to the backend of the session's expired entry, else to the one that the request proposes, else to the
    /// first usable one in the session's order, which every replica would choose, and remembers it as a guess. A new
    /// session is not remembered, because its client may never return; its cookie carries the guess.
    private mutating func guess(_ decision: Decision, _ now: Instant) -> Step {
        let expired = expiredPlace(of: decision.fingerprint, now)
        let (index, provenance): (Int?, Provenance) =
            if let expired {
                (expired.backend, .cached)
            } else if let proposed = proposed(decision) {
                (proposed, .hinted)
            } else {
                (firstUsable(decision.fingerprint), .hashed)
            }
        guard let index else { return .refuse(.noBackend) }
        let createdAtSeconds = expired?.createdAtSeconds
        let binding = Binding(backend: membership.backends[index].hash, epoch: 0)
        if !decision.isNew {
            remember(binding, .guess, createdAtSeconds: createdAtSeconds, of: decision.fingerprint, now)
        }
        return .forward(
            Route(backend: index, binding: binding, provenance: provenance, createdAtSeconds: createdAtSeconds))
    }

    /// The backend of an entry whose lifetime is over, if it is usable and the session has not ended by age. Touches
    /// are silent, so others may have kept the session alive. It serves guesses only.
    func expiredPlace(of fingerprint: Fingerprint, _ now: Instant) -> (backend: Int, createdAtSeconds: UInt32?)? {
        guard let entry = cache.expired(fingerprint, now: now),
            !isExpired(createdAtSeconds: entry.createdAtSeconds, now)
        else { return nil }
        return usable(entry.binding.backend).map { ($0, entry.createdAtSeconds) }
    }

    /// Moves the session without the store, which learns of the move later.
    private mutating func moveLocally(_ decision: Decision, from known: KnownBinding, _ now: Instant) -> Step {
        guard let index = firstUsable(decision.fingerprint) else { return .refuse(.noBackend) }  // D30
        guard known.binding.epoch < Binding.epochMax else { return detour(decision, from: known.binding) }  // D31
        let moved = Binding(backend: membership.backends[index].hash, epoch: known.binding.epoch + 1)
        let createdAtSeconds = known.binding.isTombstone ? nil : known.createdAtSeconds
        remember(moved, .dirty, createdAtSeconds: createdAtSeconds, of: decision.fingerprint, now)
        return .forward(Route(backend: index, binding: moved, provenance: .rebound, createdAtSeconds: createdAtSeconds))
    }

    /// Keeps what was decided without the store, and queues it to be offered later.
    mutating func remember(
        _ binding: Binding, _ kind: BindingCache.Kind, createdAtSeconds: UInt32?, of fingerprint: Fingerprint,
        _ now: Instant
    ) {
        let expiry = expiry(createdAtSeconds: createdAtSeconds, now)
        let entry = BindingCache.Entry(
            binding: binding, kind: kind, confirmedAt: now,
            expiresAt: now.advanced(byMilliseconds: expiry.lifetimeMilliseconds),
            createdAtSeconds: expiry.createdAtSeconds)
        guard cache.store(entry, for: fingerprint, now: now) else { return }
        offers.add(fingerprint, isGuess: kind == .guess)
    }
}
