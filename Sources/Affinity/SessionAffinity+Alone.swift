/// Deciding without the store: it may not be asked, or did not answer in time.
extension SessionAffinity {
    func decideAlone(_ decision: Decision, _ now: Instant) -> Step {
        decideAlone(decision, cache.peek(decision.fingerprint, now: now), now)
    }

    /// By the best living knowledge, of any age.
    func decideAlone(_ decision: Decision, _ entry: BindingCache.Entry?, _ now: Instant) -> Step {
        guard let known = Knowledge(entry: entry, hint: decision.hint) else { return guess(decision, now) }
        if let route = route(by: known) { return .forward(route) }
        return known.isGuess ? guess(decision, now) : moveUnheard(decision, from: known.binding, now)
    }

    /// Binds the session to nothing: sends this request to its own backend, or where that is not usable to the first in
    /// order.
    func detour(_ decision: Decision, _ now: Instant) -> Step {
        let known = Knowledge(entry: cache.peek(decision.fingerprint, now: now), hint: decision.hint)
        if let known, let route = route(by: known) { return .forward(route) }
        guard let index = firstUsable(decision.fingerprint) else { return .refuse(.noBackend) }
        let binding = known?.binding ?? Binding(backend: membership.backends[index].hash, epoch: 0)
        return .forward(Route(backend: index, binding: binding, provenance: .detoured))
    }

    /// To the backend that is known to be the session's, if that is usable.
    private func route(by known: Knowledge) -> Route? {
        usable(known.binding.backend).map {
            Route(backend: $0, binding: known.binding, provenance: known.origin == .hint ? .hinted : .cached)
        }
    }

    /// The first in the session's order, which every replica would choose, remembered as a guess. Not for a session
    /// whose client may never return: its cookie carries the guess.
    private func guess(_ decision: Decision, _ now: Instant) -> Step {
        guard let index = firstUsable(decision.fingerprint) else { return .refuse(.noBackend) }
        let binding = Binding(backend: membership.backends[index].hash, epoch: 0)
        if !decision.isNew { remember(binding, .guess, of: decision, now) }
        return .forward(Route(backend: index, binding: binding, provenance: .hashed))
    }

    /// A move that the store has yet to hear of.
    private func moveUnheard(_ decision: Decision, from binding: Binding, _ now: Instant) -> Step {
        guard let index = firstUsable(decision.fingerprint) else { return .refuse(.noBackend) }
        guard binding.epoch < Binding.epochMax else { return detour(decision, now) }
        let moved = Binding(backend: membership.backends[index].hash, epoch: binding.epoch + 1)
        remember(moved, .dirty, of: decision, now)
        return .forward(Route(backend: index, binding: moved, provenance: .rebound))
    }

    private func remember(_ binding: Binding, _ kind: BindingCache.Kind, of decision: Decision, _ now: Instant) {
        let entry = BindingCache.Entry(
            binding: binding, kind: kind, confirmedAt: now,
            expiresAt: now.advanced(byMilliseconds: settings.recordLifetime))
        cache.store(entry, for: decision.fingerprint, now: now)
    }
}
