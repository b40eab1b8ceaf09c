/// Chooses a backend for a session or a request that has none.
extension SessionAffinity {
    /// Backends that may be given sessions and requests not bound to them, in order of preference.
    private enum Candidates {
        /// Up here, not reported as down by most of the fleet, and below its limit.
        case preferred
        /// Up here, although most of the fleet cannot reach it, or at its limit.
        case doubtful
        /// Draining, used only without other candidates: serving is better than refusing.
        case draining
    }

    /// Where a request without a session goes: by the service's strategy, among the backends that may take it.
    ///
    /// - Parameter client: a fingerprint that identifies the client; without one, ``PlacementStrategy/hrw`` is round
    ///   robin.
    package mutating func balance(_ client: Fingerprint?) -> Route? {
        let chosen: Int? =
            switch (settings.placement, client) {
            case (.hrw, let client?): firstUsable(client)
            case (.hrw, nil), (.wrr, _): nextRoundRobin()
            case (.p2c, _): powerOfTwoChoices()
            }
        guard let chosen else { return nil }
        let binding = Binding(backend: membership.backends[chosen].hash, epoch: 0)
        return Route(backend: chosen, binding: binding, provenance: .balanced)
    }

    /// The first placement of a session: where the request proposes it, else by the service's strategy.
    mutating func place(_ decision: Decision, _ now: Instant) -> Int? {
        if let proposed = proposed(decision) { return proposed }
        switch settings.placement {
        case .hrw:
            return firstWithinShare(decision.fingerprint, .preferred, now)
                ?? firstWithinShare(decision.fingerprint, .doubtful, now) ?? firstUsable(decision.fingerprint)
        case .wrr:
            return nextRoundRobin()
        case .p2c:
            return powerOfTwoChoices()
        }
    }

    /// The backend that the request proposes, if it is usable.
    func proposed(_ decision: Decision) -> Int? { decision.proposal.flatMap(usable) }

    /// The first backend in the session's order that may take a session it does not have: among those that most of the
    /// fleet can reach, if there are any; a draining one only if no other can take the session.
    func firstUsable(_ fingerprint: Fingerprint, where isWanted: (Int) -> Bool = { _ in true }) -> Int? {
        membership.choose(fingerprint) { isOne($0, of: .preferred) && isWanted($0) }
            ?? membership.choose(fingerprint) { isOne($0, of: .doubtful) && isWanted($0) }
            ?? membership.choose(fingerprint, draining: true) { isOne($0, of: .draining) && isWanted($0) }
    }

    /// Chooses another backend, or child of a weighted service, after those in `refused` did not take the request
    /// although they are up: because they are at their limits, or because all live backends of a child are draining.
    /// Their sessions stay bound to them, and are refused if they may not go elsewhere.
    ///
    /// - Parameters:
    ///   - route: the first decision.
    ///   - refused: those that did not take the request.
    package func nextChoice(_ decision: Decision, from route: Route?, besides refused: [BackendHash]) -> Step {
        guard
            let index = firstUsable(
                decision.fingerprint,
                where: { !refused.contains(membership.backends[$0].hash) && !health.isFull($0) })
        else { return .refuse(.noBackend) }
        let hash = membership.backends[index].hash
        return switch route?.provenance {
        case .balanced:
            .forward(Route(backend: index, binding: Binding(backend: hash, epoch: 0), provenance: .balanced))
        case .placed:
            .forward(Route(backend: index, binding: Binding(backend: hash, epoch: 1), provenance: .placed))
        case .cached, .stored, .claimed, .rebound, .hinted:
            settings.onUnavailable == .reject
                ? .refuse(.backendUnavailable) : detour(to: index, from: route?.binding)
        case .hashed, .detoured, nil:
            detour(to: index, from: route?.binding)
        }
    }

    /// The first in the session's order that has not had its share of new sessions yet.
    private mutating func firstWithinShare(
        _ fingerprint: Fingerprint, _ candidates: Candidates, _ now: Instant
    ) -> Int? {
        load.choose(fingerprint, of: membership, now: now) { [membership, health] in
            Self.isOne($0, of: candidates, membership, health)
        }
    }

    private mutating func nextRoundRobin() -> Int? {
        let (membership, health) = (membership, health)
        return turn.next { Self.isOne($0, of: .preferred, membership, health) }
            ?? turn.next { Self.isOne($0, of: .doubtful, membership, health) }
            ?? turn.next { Self.isOne($0, of: .draining, membership, health) }
    }

    private mutating func powerOfTwoChoices() -> Int? {
        let (membership, health) = (membership, health)
        return inFlight.choose(of: membership, random: &random) { Self.isOne($0, of: .preferred, membership, health) }
            ?? inFlight.choose(of: membership, random: &random) { Self.isOne($0, of: .doubtful, membership, health) }
            ?? inFlight.choose(of: membership, random: &random) { Self.isOne($0, of: .draining, membership, health) }
    }

    private func isOne(_ index: Int, of candidates: Candidates) -> Bool {
        Self.isOne(index, of: candidates, membership, health)
    }

    private static func isOne(
        _ index: Int, of candidates: Candidates, _ membership: Membership, _ health: HealthTable
    ) -> Bool {
        guard health.isUp(index) else { return false }
        return switch candidates {
        case .preferred: membership.takesNewSessions(index) && !health.isAvoided(index) && !health.isFull(index)
        case .doubtful: membership.takesNewSessions(index)
        case .draining: membership.backends[index].isDraining
        }
    }
}
