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
        /// Added while the replica runs and waiting for its first good check: used only without all others.
        case newcomer
    }

    /// Where a request without a session goes: by the service's strategy, among the backends that may take it.
    ///
    /// - Parameter client: a fingerprint that identifies the client; without one, ``PlacementStrategy/hrw`` is round
    ///   robin.
    package mutating func balance(_ client: Fingerprint?, now: Instant) -> Route? {
        let chosen: Int? =
            switch (settings.placement, client) {
            case (.hrw, let client?): firstUsable(client)
            case (.hrw, nil), (.wrr, _): nextRoundRobin(now)
            case (.p2c, _): powerOfTwoChoices(now)
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
            return firstWithinShare(decision.fingerprint, .preferred, now, starting: startingDraw())
                ?? firstWithinShare(decision.fingerprint, .preferred, now)
                ?? firstWithinShare(decision.fingerprint, .doubtful, now) ?? firstUsable(decision.fingerprint)
        case .wrr:
            return nextRoundRobin(now)
        case .p2c:
            return powerOfTwoChoices(now)
        }
    }

    /// The backend that the request proposes, if it is usable.
    func proposed(_ decision: Decision) -> Int? { decision.proposal.flatMap(usable) }

    /// The first backend in the session's order that may take a session it does not have: among those that most of the
    /// fleet can reach, if there are any; a draining one only if no other can take the session, and one that waits for
    /// its first good check only if none drains.
    func firstUsable(_ fingerprint: Fingerprint, where isWanted: (Int) -> Bool = { _ in true }) -> Int? {
        membership.choose(fingerprint) { isOne($0, of: .preferred) && isWanted($0) }
            ?? membership.choose(fingerprint) { isOne($0, of: .doubtful) && isWanted($0) }
            ?? membership.choose(fingerprint, draining: true) { isOne($0, of: .draining) && isWanted($0) }
            ?? membership.choose(fingerprint) { isOne($0, of: .newcomer) && isWanted($0) }
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
    ///
    /// - Parameter draw: see ``takesPart(_:draw:_:_:_:)``.
    private mutating func firstWithinShare(
        _ fingerprint: Fingerprint, _ candidates: Candidates, _ now: Instant, starting draw: Int64? = nil
    ) -> Int? {
        let (membership, health, settings) = (membership, health, settings)
        return load.choose(
            fingerprint, of: membership, now: now,
            portion: {
                health.share($0, slowStartMilliseconds: settings.slowStartMilliseconds, now: now)
            },
            where: {
                Self.isOne($0, of: candidates, membership, health)
                    && Self.takesPart($0, draw: draw, health, settings, now)
            })
    }

    private mutating func nextRoundRobin(_ now: Instant) -> Int? {
        let (membership, health, settings, draw) = (membership, health, settings, startingDraw())
        return turn.next {
            Self.isOne($0, of: .preferred, membership, health) && Self.takesPart($0, draw: draw, health, settings, now)
        }
            ?? turn.next { Self.isOne($0, of: .preferred, membership, health) }
            ?? turn.next { Self.isOne($0, of: .doubtful, membership, health) }
            ?? turn.next { Self.isOne($0, of: .draining, membership, health) }
            ?? turn.next { Self.isOne($0, of: .newcomer, membership, health) }
    }

    private mutating func powerOfTwoChoices(_ now: Instant) -> Int? {
        let (membership, health, settings, draw) = (membership, health, settings, startingDraw())
        return inFlight.choose(of: membership, random: &random) {
            Self.isOne($0, of: .preferred, membership, health) && Self.takesPart($0, draw: draw, health, settings, now)
        }
            ?? inFlight.choose(of: membership, random: &random) { Self.isOne($0, of: .preferred, membership, health) }
            ?? inFlight.choose(of: membership, random: &random) { Self.isOne($0, of: .doubtful, membership, health) }
            ?? inFlight.choose(of: membership, random: &random) { Self.isOne($0, of: .draining, membership, health) }
            ?? inFlight.choose(of: membership, random: &random) { Self.isOne($0, of: .newcomer, membership, health) }
    }

    // MARK: Slow start

    /// A number for one placement, from 0 to below ``BackendState/wholeShare``. Nil without slow start.
    private mutating func startingDraw() -> Int64? {
        settings.slowStartMilliseconds > 0 ? Int64(random.below(Int(BackendState.wholeShare))) : nil
    }

    /// Whether a backend that starts slowly takes part in this placement: as often as its share has grown. So what it
    /// is given grows linearly, whatever it was given before it was down.
    private static func takesPart(
        _ index: Int, draw: Int64?, _ health: HealthTable, _ settings: AffinitySettings, _ now: Instant
    ) -> Bool {
        guard let draw else { return true }
        return draw < health.share(index, slowStartMilliseconds: settings.slowStartMilliseconds, now: now)
    }

    private func isOne(_ index: Int, of candidates: Candidates) -> Bool {
        Self.isOne(index, of: candidates, membership, health)
    }

    private static func isOne(
        _ index: Int, of candidates: Candidates, _ membership: Membership, _ health: HealthTable
    ) -> Bool {
        guard health.isUp(index) else { return false }
        return switch candidates {
        case .preferred:
            membership.takesNewSessions(index) && !health.isAvoided(index) && !health.isNewcomer(index)
                && !health.isFull(index)
        case .doubtful: membership.takesNewSessions(index) && !health.isNewcomer(index)
        case .draining: membership.backends[index].isDraining
        case .newcomer: membership.takesNewSessions(index)
        }
    }
}
