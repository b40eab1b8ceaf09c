/// Deciding without the store: it may not be asked, or did not answer in time.
extension SessionAffinity {
    /// - Parameter read: what a store that takes no writes says.
    mutating func decideWithoutStore(_ decision: Decision, _ now: Instant, read: Knowledge? = nil) -> Step {
        decideWithoutStore(decision, cache.peek(decision.fingerprint, now: now), now, read: read)
    }

    /// By the best living knowledge, of any age: D22 to D24.
    mutating func decideWithoutStore(
        _ decision: Decision, _ entry: BindingCache.Entry?, _ now: Instant, read: Knowledge? = nil
    ) -> Step {
        let remembered = Knowledge(entry: entry, hint: decision.hint)
        guard let known = Knowledge.best(remembered, read) else { return guess(decision, now) }  // D23
        if let route = route(by: known) { return .forward(route) }  // D22
        if known.isGuess { return guess(decision, now) }  // D23
        // D24
        switch unavailableAction(of: decision.fingerprint, from: known.binding, now, storeIsAway: true) {
        case .move: return moveLocally(decision, from: known, now)
        case .detour: return detour(decision, from: known.binding)
        case .reject: return .refuse(.backendUnavailable)
        }
    }

    /// Binds the session to nothing: sends this request to its own backend, or where that is not usable to the first in
    /// order.
    func detour(_ decision: Decision, _ now: Instant) -> Step {
        let known = Knowledge(entry: cache.peek(decision.fingerprint, now: now), hint: decision.hint)
        if let known, let route = route(by: known) { return .forward(route) }
        return detour(decision, from: known?.binding)
    }

    /// To where a move would go, for this request only.
    func detour(_ decision: Decision, from binding: Binding?) -> Step {
        firstUsable(decision.fingerprint).map { detour(to: $0, from: binding) } ?? .refuse(.noBackend)
    }

    func detour(to index: Int, from binding: Binding?) -> Step {
        let binding = binding ?? Binding(backend: membership.backends[index].hash, epoch: 0)
        return .forward(Route(backend: index, binding: binding, provenance: .detoured))
    }

    /// To the backend that is known to be the session's, if that is usable.
    private func route(by known: Knowledge) -> Route? {
        usable(known.binding.backend).map {
            let provenance: Provenance =
                switch known.origin {
                case .hint: .hinted
                case .read: .stored
                case .guess, .dirty, .confirmed: .cached
                }
            return Route(
                backend: $0, binding: known.binding, provenance: provenance, createdAtSeconds: known.createdAtSeconds)
        }
    }

    /// The backend that the request proposes, else the first in the session's order, which every replica would choose,
    /// remembered as a guess. Not for a session whose client may never return: its cookie carries the guess.
    private mutating func guess(_ decision: Decision, _ now: Instant) -> Step {
        let proposed = proposed(decision)
        guard let index = proposed ?? firstUsable(decision.fingerprint) else { return .refuse(.noBackend) }
        let binding = Binding(backend: membership.backends[index].hash, epoch: 0)
        if !decision.isNew { remember(binding, .guess, createdAtSeconds: nil, of: decision.fingerprint, now) }
        return .forward(Route(backend: index, binding: binding, provenance: proposed == nil ? .hashed : .hinted))
    }

    /// A move that the store has yet to hear of.
    private mutating func moveLocally(_ decision: Decision, from known: Knowledge, _ now: Instant) -> Step {
        guard let index = firstUsable(decision.fingerprint) else { return .refuse(.noBackend) }  // D30
        guard known.binding.epoch < Binding.epochMax else { return detour(decision, from: known.binding) }  // D31
        let moved = Binding(backend: membership.backends[index].hash, epoch: known.binding.epoch + 1)
        let createdAtSeconds = known.binding.isTombstone ? nil : known.createdAtSeconds
        remember(moved, .dirty, createdAtSeconds: createdAtSeconds, of: decision.fingerprint, now)
        return .forward(Route(backend: index, binding: moved, provenance: .rebound, createdAtSeconds: createdAtSeconds))
    }

    /// Keeps what was decided without the store, and has it told later.
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
