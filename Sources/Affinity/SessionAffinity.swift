/// Decides where the requests of one service go, on one event loop: the affinity protocol for one request.
///
/// Pure: told the time and what others said, it says what to do next. The cache and the health of backends are shared
/// with the replica's other loops; all else is this loop's own. As long as a backend may take a request, the request is
/// routed, whatever the store does, after a bounded number of questions.
package struct SessionAffinity {
    /// A proposal and three moves.
    static let questionsMax = 4

    package let membership: Membership
    package let cache: BindingCache
    package let health: HealthTable
    package let settings: AffinitySettings
    var load: PlacementLoad

    /// - Parameter health: as long as the membership; a backend beyond its end counts as down.
    package init(membership: Membership, cache: BindingCache, health: HealthTable, settings: AffinitySettings) {
        self.membership = membership
        self.cache = cache
        self.health = health
        self.settings = settings
        load = PlacementLoad(backends: membership.count, halfLife: settings.idleTimeout)
    }

    /// The first step of a request.
    package mutating func begin(_ decision: inout Decision, storeMayBeAsked: Bool, now: Instant) -> Step {
        let entry = cache.lookup(decision.fingerprint, now: now)
        guard storeMayBeAsked else { return decideAlone(decision, entry, now) }
        if let entry, isFresh(entry, decision.hint, now) {
            guard let index = usable(entry.binding.backend) else { return move(&decision, from: entry.binding, now) }
            let touch = dueTouch(decision.fingerprint, entry, now)
            return .forward(Route(backend: index, binding: entry.binding, provenance: .cached, touch: touch))
        }
        if decision.isNew, entry == nil { return placeUnrecorded(decision, now) }
        return propose(&decision, Knowledge(entry: entry, hint: decision.hint), now)
    }

    /// The next step, the store having answered a question of this decision.
    /// - Parameter asked: when the question was handed to the store.
    package mutating func storeAnswered(
        _ decision: inout Decision, _ answer: StoreAnswer, to question: StoreQuestion, asked: Instant, now: Instant
    ) -> Step {
        let fingerprint = decision.fingerprint
        switch answer {
        case .written:
            guard let written = question.proposal else { return decideAlone(decision, now) }
            confirm(written, of: fingerprint, asked: asked, remaining: settings.recordLifetime, now)
            return settle(&decision, written, provenance: provenance(of: question, &decision, now), now)
        case .record(let record, let remaining):
            if let mine = unheard(by: record, fingerprint, now) {
                return ask(&decision, rebind(decision, from: record, to: mine), now)
            }
            confirm(record, of: fingerprint, asked: asked, remaining: remaining, now)
            return settle(&decision, record, provenance: .stored, now)
        case .foreign:
            guard case .create(_, let backend, let lifetime) = question else { return decideAlone(decision, now) }
            let binding = Binding(backend: backend, epoch: 1)
            return ask(&decision, .restore(fingerprint, binding, lifetime: lifetime), now)
        case .absent, .unavailable:
            return decideAlone(decision, now)
        }
    }

    /// The next step, the backend of the last route being out of reach. The caller has marked it down.
    package mutating func backendFailed(_ decision: inout Decision, storeMayBeAsked: Bool, now: Instant) -> Step {
        decision.failures += 1
        decision.asking = nil
        guard decision.failures <= membership.count else { return .refuse(.noBackend) }
        return begin(&decision, storeMayBeAsked: storeMayBeAsked, now: now)
    }

    /// A backend's place, if sessions that are bound to it may go there.
    func usable(_ backend: BackendHash) -> Int? {
        guard let index = membership.index(of: backend), health.isUp(index) else { return nil }
        return index
    }

    /// The first backend of the session's order that may take a session it does not have.
    func firstUsable(_ fingerprint: Fingerprint) -> Int? {
        membership.choose(fingerprint) { health.isUp($0) }
    }

    /// Whether an entry serves without the store being asked. While the store may be asked, only for a short time after
    /// it confirmed the entry, and never against a hint that knows more.
    private func isFresh(_ entry: BindingCache.Entry, _ hint: Hint?, _ now: Instant) -> Bool {
        guard entry.kind == .confirmed, !entry.binding.isTombstone else { return false }
        if let hint, hint.binding.epoch > entry.binding.epoch { return false }
        return now < entry.confirmedAt.advanced(byMilliseconds: settings.freshness)
    }
}
