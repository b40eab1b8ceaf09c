import Affinity

/// Backends, and how the replicas judge them.
extension Simulation {
    func isInReach(_ place: Int, of replica: SimulatedReplica) -> Bool {
        !brokenBackends.contains(place) && !cutBackends[replica.index].contains(place)
    }

    /// Whether the replica reaches the backend, and its health check is good there.
    func works(_ place: Int, for replica: SimulatedReplica) -> Bool {
        isInReach(place, of: replica) && !sickBackends[replica.index].contains(place)
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
        if replica.probes[route.backend].isUnreachable {
            becameReachable(route.backend, at: replica)
            reportHealth(route.backend, of: replica)
        }
        let client = clients[request.client]
        guard client.hasCookie, !request.isForged, client.session == request.session else { return }
        let wall = replica.wall(now)
        let issued = replica.renewal.issued(
            for: route, hint: request.hint, recordLives: recordLives(request, route), now: wall)
        guard let issued else { return }
        coverage.count(issued == wall ? "cookies that vouch" : "cookies that do not vouch")
        let hint = Hint(
            binding: route.binding, createdAtSeconds: request.hint?.createdAtSeconds ?? wall, issued: issued)
        made[request.session, default: []].insert(route.binding)
        queue.add(
            .response(client: request.client, session: request.session, hint), at: now + random.int(100...3000))
    }

    /// Two connections in a row failed.
    func backendFailed(_ id: Int) {
        guard var request = requests[id], let route = request.route else { return }
        let replica = request.replica
        coverage.count("connections to backends failed")
        perform(replica.fleet.suspected(replica.shared(route.backend), now: replica.instant(now)), at: replica)
        if becameUnreachable(route.backend, at: replica) { reportHealth(route.backend, of: replica) }
        let instant = replica.instant(now)
        let mayAsk = replica.mayAsk(loop: request.loop, about: request.session, now: now)
        let entry = replica.cache.peek(request.session, now: instant)
        let isCurrent =
            entry.map { replica.isCurrent($0, of: request.session, hint: request.decision.hint, now: now) } ?? false
        let step = replica.loops[request.loop].affinity.backendFailed(
            &request.decision, storeIsAvailable: mayAsk, now: instant)
        var basis = DecisionBasis.alone
        if case .forward(let next) = step, isCurrent, next.provenance == .cached, entry?.binding == next.binding {
            basis = .cache
        }
        follow(step, request, basis)
    }

    // MARK: This replica's own judgement

    /// Returns whether the state changed.
    private func becameUnreachable(_ backend: Int, at replica: SimulatedReplica) -> Bool {
        replica.health.markDown(backend)
        let action = replica.probes[backend].failed(now: replica.instant(now))
        guard action != .doNothing else { return false }
        note("replica \(replica.index): \(replica.membership.backends[backend].name) is down")
        perform(action, backend, at: replica)
        return true
    }

    private func becameReachable(_ backend: Int, at replica: SimulatedReplica) {
        if replica.probes[backend].isUnreachable {
            note("replica \(replica.index): \(replica.membership.backends[backend].name) is up")
        }
        if replica.probes[backend].isUnreachable { replica.usableSince[backend] = now }
        replica.probes[backend].succeeded()
        replica.health.markUp(backend)
    }

    /// Reports a change to the fleet's health logic.
    private func reportHealth(_ backend: Int, of replica: SimulatedReplica) {
        let isUp = replica.health.isUp(backend)
        perform(replica.fleet.judged(replica.shared(backend), isUp: isUp, now: replica.instant(now)), at: replica)
    }

    private func perform(_ action: BackendProbe.Action, _ backend: Int, at replica: SimulatedReplica) {
        switch action {
        case .doNothing: break
        case .wait:
            schedule(.probeBackend(backend), of: replica, after: BackendProbe.intervalMilliseconds * 1000 + 3000)
        case .connect:
            let isReachable = isInReach(replica.places[backend], of: replica)
            schedule(.backendProbed(backend, isReachable: isReachable), of: replica, after: 1000)
        }
    }

    func probeBackend(_ backend: Int, at replica: SimulatedReplica) {
        perform(replica.probes[backend].isDue(now: replica.instant(now)), backend, at: replica)
    }

    func backendProbed(_ backend: Int, isReachable: Bool, at replica: SimulatedReplica) {
        let wasUnreachable = replica.probes[backend].isUnreachable
        if isReachable { becameReachable(backend, at: replica) }
        let outcome = replica.probes[backend].ended(isReachable: isReachable, now: replica.instant(now))
        perform(outcome.action, backend, at: replica)
        guard outcome.isWanted else {
            if isReachable, wasUnreachable { reportHealth(backend, of: replica) }
            return
        }
        let shared = replica.shared(backend)
        // A replica that is asked makes a check, too.
        let isGood = works(replica.places[backend], for: replica)
        let isUp = isReachable && isGood && replica.health.isUp(backend)
        perform(replica.fleet.probed(shared, isUp: isUp, now: replica.instant(now)), at: replica)
        guard replica.fleet.isDown(shared) else { return }
        if !isReachable { _ = becameUnreachable(backend, at: replica) }
        if isReachable, !isGood, replica.checks[backend]?.standing == .up {
            replica.health.markDown(backend, .failing)
            let action = replica.checks[backend]?.failed(byFleet: true, random: 0, now: replica.instant(now))
            perform(action ?? .doNothing, backend, at: replica)
        }
    }

    // MARK: Health checks

    private static let pace = CheckPace(intervalMilliseconds: 300, timeoutMilliseconds: 100, rise: 1, fall: 2)

    /// Checks the backends whose checks fail; the checks of all others would find nothing.
    func beginChecks(at replica: SimulatedReplica) {
        for (backend, place) in replica.places.enumerated()
        where sickBackends[replica.index].contains(place) && replica.checks[backend] == nil {
            var check = BackendCheck(pace: Self.pace, standing: .up)
            let action = check.begin(now: replica.instant(now))
            replica.checks[backend] = check
            perform(action, backend, at: replica)
        }
    }

    private func perform(_ action: BackendCheck.Action, _ backend: Int, at replica: SimulatedReplica) {
        switch action {
        case .doNothing: break
        case .wait(let until):
            let milliseconds = max(0, until.milliseconds(since: replica.instant(now)))
            schedule(.checkBackend(backend), of: replica, after: milliseconds * 1000 + 3000)
        case .check:
            let isGood = works(replica.places[backend], for: replica)
            schedule(.backendChecked(backend, isGood: isGood), of: replica, after: 2000)
        }
    }

    func checkBackend(_ backend: Int, at replica: SimulatedReplica) {
        guard let action = replica.checks[backend]?.isDue(now: replica.instant(now)) else { return }
        perform(action, backend, at: replica)
    }

    func backendChecked(_ backend: Int, isGood: Bool, at replica: SimulatedReplica) {
        let outcome = replica.checks[backend]?.ended(isGood: isGood, random: 0, now: replica.instant(now))
        guard let outcome else { return }
        switch outcome.verdict {
        case .down:
            coverage.count("backends failing")
            note("replica \(replica.index): \(replica.membership.backends[backend].name) is failing")
            replica.health.markDown(backend, .failing)
            reportHealth(backend, of: replica)
        case .up:
            note("replica \(replica.index): \(replica.membership.backends[backend].name) is healthy")
            replica.usableSince[backend] = now
            replica.health.markUp(backend, .failing)
            reportHealth(backend, of: replica)
        case nil: break
        }
        perform(outcome.action, backend, at: replica)
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
        perform(payload.withUnsafeBytes { replica.fleet.received($0, now: instant) }, at: replica)
    }

    func perform(_ actions: [FleetHealth.Action], at replica: SimulatedReplica) {
        for action in actions {
            switch action {
            case .publish(let payload): publish(payload, from: replica)
            case .probe(let shared):
                guard let backend = replica.membership.index(of: shared.backend) else { continue }
                perform(replica.probes[backend].wanted(), backend, at: replica)
            case .setMayReassign(let shared, let value):
                guard let backend = replica.membership.index(of: shared.backend) else { continue }
                note("replica \(replica.index): may leave \(backend): \(value)")
                coverage.count(value ? "consents" : "consents withdrawn")
                replica.health.setMayReassign(backend, value)
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
            schedule(.fleetTickSoon, of: replica, after: FleetHealth.publicationGapMilliseconds * 1000 + 50)
        }
    }

    private func publish(_ payload: [UInt8], from replica: SimulatedReplica) {
        guard let data = replica.loops[0].data[0], data.isOpen, data.isServing, replica.view.trusts(data) else {
            return replica.fleet.publicationFailed()
        }
        send(.publishFleet(payload), over: data)
    }

    /// Restarts the period after which this replica counts as having heard everything.
    func disturb(_ replica: SimulatedReplica) {
        for place in world.indices { reachSince[replica.index][place] = now }
    }
}
