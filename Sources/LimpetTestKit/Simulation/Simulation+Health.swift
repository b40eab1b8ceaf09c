import Affinity

/// Backends, and what the replicas make of them.
extension Simulation {
    func isInReach(_ place: Int, of replica: SimulatedReplica) -> Bool {
        !brokenBackends.contains(place) && !cutBackends[replica.index].contains(place)
    }

    // MARK: Requests at backends

    func forward(_ route: Route, _ request: SimulatedRequest) {
        let replica = request.replica
        if isInReach(replica.places[route.backend], of: replica) {
            schedule(.backendAnswered(request: request.id), of: replica, after: random.int(500...8000))
        } else {
            schedule(.backendFailed(request: request.id), of: replica, after: 500)
        }
    }

    func backendAnswered(_ id: Int) {
        guard let request = requests.removeValue(forKey: id), let route = request.route else { return }
        let replica = request.replica
        perform(replica.probers[route.backend].connectionSucceeded(), route.backend, at: replica)
        let client = clients[request.client]
        guard client.hasCookie, !request.isForged, client.session == request.session else { return }
        let wall = replica.wall(now)
        guard replica.renewal.isDue(for: route, hint: request.hint, now: wall) else { return }
        let hint = Hint(binding: route.binding, born: request.hint?.born ?? wall, issued: wall)
        made[request.session, default: []].insert(route.binding)
        queue.add(
            .response(client: request.client, session: request.session, hint), at: now + random.int(100...3000))
    }

    /// A connection failed, and so did the second.
    func backendFailed(_ id: Int) {
        guard var request = requests[id], let route = request.route else { return }
        let replica = request.replica
        coverage.count("connections to backends failed")
        perform(replica.fleet.suspected(replica.shared(route.backend), now: replica.instant(now)), at: replica)
        let instant = replica.instant(now)
        perform(replica.probers[route.backend].connectionFailed(now: instant), route.backend, at: replica)
        let mayAsk = replica.mayAsk(loop: request.loop, about: request.session)
        let entry = replica.cache.peek(request.session, now: instant)
        let isCurrent =
            entry.map { replica.isCurrent($0, of: request.session, hint: request.decision.hint, now: now) } ?? false
        let step = replica.loops[request.loop].affinity.backendFailed(
            &request.decision, storeMayBeAsked: mayAsk, now: instant)
        var basis = DecisionBasis.alone
        if case .forward(let next) = step, isCurrent, next.provenance == .cached, entry?.binding == next.binding {
            basis = .cache
        }
        follow(step, request, basis)
    }

    // MARK: This replica's own judgement

    private func perform(_ action: BackendHealth.Action, _ backend: Int, at replica: SimulatedReplica) {
        switch action {
        case .doNothing: break
        case .markDown:
            tell("replica \(replica.index): \(replica.membership.backends[backend].name) is down")
            mark(backend, isUp: false, at: replica)
            schedule(.probeBackend(backend), of: replica, after: BackendHealth.probeInterval * 1000 + 3000)
        case .probe:
            let isUp = isInReach(replica.places[backend], of: replica)
            let outcome =
                isUp
                ? replica.probers[backend].probeSucceeded()
                : replica.probers[backend].probeFailed(now: replica.instant(now))
            perform(outcome, backend, at: replica)
        case .probeAgain:
            schedule(.probeBackend(backend), of: replica, after: BackendHealth.probeInterval * 1000 + 3000)
        case .markUp:
            tell("replica \(replica.index): \(replica.membership.backends[backend].name) is up")
            mark(backend, isUp: true, at: replica)
        }
    }

    private func mark(_ backend: Int, isUp: Bool, at replica: SimulatedReplica) {
        _ = isUp ? replica.health.markUp(backend) : replica.health.markDown(backend)
        perform(replica.fleet.judged(replica.shared(backend), isUp: isUp, now: replica.instant(now)), at: replica)
    }

    func probeBackend(_ backend: Int, at replica: SimulatedReplica) {
        perform(replica.probers[backend].probeIsDue(now: replica.instant(now)), backend, at: replica)
    }

    // MARK: The fleet's judgement

    func fleetTick(_ replica: SimulatedReplica) {
        let instant = replica.instant(now)
        let lease: FleetMessage.Lease
        switch replica.hearings[0].channel.state {
        case .down: lease = .lost
        case .proving: lease = .proving
        case .live: lease = replica.coherence.isLive(primary: 0, now: instant) ? .live : .doubt
        }
        if lease != .live { disturb(replica) }
        perform(replica.fleet.tick(lease: lease, now: instant), at: replica)
        leaveOnTies(replica)
    }

    func fleetHeard(_ payload: [UInt8], at replica: SimulatedReplica) {
        let instant = replica.instant(now)
        perform(payload.withUnsafeBytes { replica.fleet.heard($0, now: instant) }, at: replica)
    }

    func fleetProbed(_ backend: Int, isUp: Bool, at replica: SimulatedReplica) {
        let shared = replica.shared(backend)
        perform(replica.fleet.probed(shared, isUp: isUp, now: replica.instant(now)), at: replica)
        if isUp {
            perform(replica.probers[backend].connectionSucceeded(), backend, at: replica)
        } else if replica.fleet.isDown(shared) {
            let instant = replica.instant(now)
            perform(replica.probers[backend].connectionFailed(now: instant), backend, at: replica)
        }
    }

    func perform(_ actions: [FleetHealth.Action], at replica: SimulatedReplica) {
        for action in actions {
            switch action {
            case .publish(let payload): publish(payload, from: replica)
            case .probe(let shared):
                guard let backend = replica.membership.index(of: shared.backend) else { continue }
                let isUp = isInReach(replica.places[backend], of: replica)
                schedule(.fleetProbed(backend, isUp: isUp), of: replica, after: 1000)
            case .setMayLeave(let shared, let value):
                guard let backend = replica.membership.index(of: shared.backend) else { continue }
                tell("replica \(replica.index): may leave \(backend): \(value)")
                coverage.count(value ? "consents" : "consents withdrawn")
                replica.health.setMayLeave(backend, value)
            case .setAvoided(let shared, let value):
                guard let backend = replica.membership.index(of: shared.backend) else { continue }
                replica.health.setAvoided(backend, value)
            case .setAlone(let value):
                coverage.count("alone")
                if has(.consent) { replica.health.setJudgesAlone(value) }
            case .setConfigurationsAgree(let value): replica.coherence.setConfigurationsAgree(value)
            }
        }
        if replica.fleet.isHoldingBack, !replica.isFleetTickComing {
            replica.isFleetTickComing = true
            schedule(.fleetTickSoon, of: replica, after: FleetHealth.publicationGap * 1000 + 50)
        }
    }

    private func publish(_ payload: [UInt8], from replica: SimulatedReplica) {
        guard let data = replica.loops[0].data[0], data.isOpen, data.isServing else {
            return replica.fleet.publicationFailed()
        }
        send(.publishFleet(payload), over: data)
    }

    /// From now on nothing is said of what this replica should have heard.
    func disturb(_ replica: SimulatedReplica) {
        for place in world.indices { reachSince[replica.index][place] = now }
    }
}
