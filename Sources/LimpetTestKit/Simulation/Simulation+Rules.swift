import Affinity

/// Turns off rules of the protocol.
extension Simulation {
    /// The stamp of an operation as the core receives it; altered if a rule is off.
    func garbled(_ stamp: OperationStamp, of operation: StoreOperation, at replica: SimulatedReplica) -> OperationStamp
    {
        var stamp = stamp
        let instant = replica.instant(now)
        if !has(.fillGeneration) {
            let hearing = replica.hearings[primary(of: operation.fingerprint)]
            if stamp.sentAt < hearing.channel.status.generationBegan {
                stamp = OperationStamp(sentAt: instant, isFromChannelServer: stamp.isFromChannelServer)
            }
        }
        if !has(.sameServer) { stamp = OperationStamp(sentAt: stamp.sentAt, isFromChannelServer: true) }
        return stamp
    }

    /// Adjusts the lifetime of the entry for a result. Without `lifetimeFromSending` it counts from now; if only the
    /// stamp was altered, the correct lifetime is restored.
    func shiftLifetime(
        _ session: Fingerprint, _ result: StoreResult, stamp: OperationStamp, garbled: OperationStamp,
        at replica: SimulatedReplica
    ) {
        let instant = replica.instant(now)
        var shift = stamp.sentAt.milliseconds(since: garbled.sentAt)
        if !has(.lifetimeFromSending) { shift += instant.milliseconds(since: stamp.sentAt) }
        guard shift != 0, recordIn(result) != nil || result == .written,
            var entry = replica.cache.peek(session, now: instant), entry.kind == .confirmed
        else { return }
        entry.expiresAt = entry.expiresAt.advanced(byMilliseconds: shift)
        replica.cache.store(entry, for: session, now: instant)
    }

    /// The settings that a replica uses for decisions.
    var decisionSettings: AffinitySettings {
        let settings = scenario.settings
        guard !has(.replyAge) else { return settings }
        return AffinitySettings(
            idleTimeoutMilliseconds: settings.idleTimeoutMilliseconds,
            absoluteTimeoutMilliseconds: settings.absoluteTimeoutMilliseconds,
            onUnavailable: settings.onUnavailable, leaseMilliseconds: 1_000_000,
            budgetMilliseconds: settings.budgetMilliseconds)
    }

    /// The operation with which a guess would replace the record that it met.
    func guessOverriding(
        _ result: StoreResult, _ operation: StoreOperation, at replica: SimulatedReplica
    ) -> StoreOperation? {
        guard !has(.guessYields), case .create = operation, case .record(let record) = result,
            let entry = replica.cache.peek(operation.fingerprint, now: replica.instant(now)), entry.kind == .guess,
            entry.binding.backend != record.binding.backend, !record.binding.isTombstone
        else { return nil }
        return .rebind(
            operation.fingerprint, from: record.binding, to: entry.binding.backend,
            lifetimeMilliseconds: operation.lifetimeMilliseconds,
            createdAtSeconds: record.createdAtSeconds)
    }

    /// Treats a guess whose backend failed as a move.
    func raiseGuess(_ route: Route, _ request: SimulatedRequest) {
        guard !has(.guessEpoch), let last = request.route, last.provenance == .hashed else { return }
        let replica = request.replica
        let instant = replica.instant(now)
        let raised = Binding(backend: route.binding.backend, epoch: last.binding.epoch + 2)
        let entry = BindingCache.Entry(
            binding: raised, kind: .dirty, confirmedAt: instant,
            expiresAt: instant.advanced(byMilliseconds: scenario.settings.recordLifetimeMilliseconds))
        replica.cache.store(entry, for: request.session, now: instant)
    }

    /// The move that a replica makes although its channel is not live.
    func unlicensedMove(_ route: Route, _ request: SimulatedRequest) -> StoreOperation? {
        let replica = request.replica
        guard !has(.moveOnlyLive), route.provenance == .detoured, scenario.settings.onUnavailable == .move,
            !replica.coherence.isLive(for: request.session, now: replica.instant(now)), request.operations == 0,
            replica.mayAsk(loop: request.loop, about: request.session, now: now), !route.binding.isTombstone,
            route.binding.epoch > 0
        else { return nil }
        return .rebind(
            request.session, from: route.binding, to: replica.membership.backends[route.backend].hash,
            lifetimeMilliseconds: scenario.settings.recordLifetimeMilliseconds)
    }

    /// Treats a tie as a majority.
    func leaveOnTies(_ replica: SimulatedReplica) {
        guard !has(.tie), replica.coherence.isLive(primary: 0, now: replica.instant(now)) else { return }
        for (index, place) in replica.places.enumerated() where !replica.health.isUp(index) {
            let others = replicas.filter { $0 !== replica }.compactMap { other in
                other.places.firstIndex(of: place).map { other.health.isUp($0) }
            }
            let up = others.count { $0 }
            if others.count - up + 1 >= up { replica.health.setMayReassign(index, true) }
        }
    }
}

extension StoreOperation {
    var isTouch: Bool {
        if case .touch = self { true } else { false }
    }
}
