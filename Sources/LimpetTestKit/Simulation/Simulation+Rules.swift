import Affinity

/// How the rules of the protocol that are turned off are turned off.
extension Simulation {
    /// How the core is told that a question was put.
    func garbled(_ asking: Asking, of question: StoreQuestion, at replica: SimulatedReplica) -> Asking {
        var asking = asking
        let instant = replica.instant(now)
        if !has(.fillGeneration) {
            let hearing = replica.hearings[primary(of: question.fingerprint)]
            if asking.at < hearing.channel.standing.generationBegan {
                asking = Asking(at: instant, isOfChannel: asking.isOfChannel)
            }
        }
        if !has(.sameServer) { asking = Asking(at: asking.at, isOfChannel: true) }
        return asking
    }

    /// What was just answered lives from now on; or, where only its generation is counted from now, as it should.
    func shiftLifetime(
        _ session: Fingerprint, _ answer: StoreAnswer, asked: Asking, told: Asking, at replica: SimulatedReplica
    ) {
        let instant = replica.instant(now)
        var shift = asked.at.milliseconds(since: told.at)
        if !has(.lifetimeFromSending) { shift += instant.milliseconds(since: asked.at) }
        guard shift != 0, recordIn(answer) != nil || answer == .written,
            var entry = replica.cache.peek(session, now: instant), entry.kind == .confirmed
        else { return }
        entry.expiresAt = entry.expiresAt.advanced(byMilliseconds: shift)
        replica.cache.store(entry, for: session, now: instant)
    }

    /// The settings that a replica decides by.
    var decisionSettings: AffinitySettings {
        let settings = scenario.settings
        guard !has(.replyAge) else { return settings }
        return AffinitySettings(
            idleTimeout: settings.idleTimeout, absoluteTimeout: settings.absoluteTimeout,
            onUnavailable: settings.onUnavailable, lease: 1_000_000, budget: settings.budget)
    }

    /// The question by which a guess would take the place of the record that it met.
    func guessOverriding(
        _ answer: StoreAnswer, _ question: StoreQuestion, at replica: SimulatedReplica
    ) -> StoreQuestion? {
        guard !has(.guessYields), case .create = question, case .record(let record) = answer,
            let entry = replica.cache.peek(question.fingerprint, now: replica.instant(now)), entry.kind == .guess,
            entry.binding.backend != record.binding.backend, !record.binding.isTombstone
        else { return nil }
        return .rebind(
            question.fingerprint, from: record.binding, to: entry.binding.backend, lifetime: question.lifetime,
            born: record.born)
    }

    /// A guess whose backend failed counts as a move.
    func raiseGuess(_ route: Route, _ request: SimulatedRequest) {
        guard !has(.guessEpoch), let last = request.route, last.provenance == .hashed else { return }
        let replica = request.replica
        let instant = replica.instant(now)
        let raised = Binding(backend: route.binding.backend, epoch: last.binding.epoch + 2)
        let entry = BindingCache.Entry(
            binding: raised, kind: .dirty, confirmedAt: instant,
            expiresAt: instant.advanced(byMilliseconds: scenario.settings.recordLifetime))
        replica.cache.store(entry, for: request.session, now: instant)
    }

    /// The move that a replica makes though its channel is not live.
    func unlicensedMove(_ route: Route, _ request: SimulatedRequest) -> StoreQuestion? {
        let replica = request.replica
        guard !has(.moveOnlyLive), route.provenance == .detoured, scenario.settings.onUnavailable == .move,
            !replica.coherence.isLive(for: request.session, now: replica.instant(now)), request.questions == 0,
            replica.mayAsk(loop: request.loop, about: request.session), !route.binding.isTombstone,
            route.binding.epoch > 0
        else { return nil }
        return .rebind(
            request.session, from: route.binding, to: replica.membership.backends[route.backend].hash,
            lifetime: scenario.settings.recordLifetime)
    }

    /// As many for as against count as a majority.
    func leaveOnTies(_ replica: SimulatedReplica) {
        guard !has(.tie), replica.coherence.isLive(primary: 0, now: replica.instant(now)) else { return }
        for (index, place) in replica.places.enumerated() where !replica.health.isUp(index) {
            let others = replicas.filter { $0 !== replica }.compactMap { other in
                other.places.firstIndex(of: place).map { other.health.isUp($0) }
            }
            let up = others.count { $0 }
            if others.count - up + 1 >= up { replica.health.setMayLeave(index, true) }
        }
    }
}

extension StoreQuestion {
    var isTouch: Bool {
        if case .touch = self { true } else { false }
    }
}
