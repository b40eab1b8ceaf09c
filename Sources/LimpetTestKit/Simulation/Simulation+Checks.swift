import Affinity

/// The invariants of a single decision.
extension Simulation {
    /// How far a decision may lag behind, in microseconds: lease, clock drift, one turn of the store.
    var bound: Moment { scenario.settings.leaseMilliseconds * 1001 + 1100 }

    private var grace: ServerHistory.Grace {
        let lifetimeMilliseconds = scenario.settings.recordLifetimeMilliseconds
        // A wall clock that is ahead ends a session earlier than another replica expects.
        let skew: Moment = scenario.settings.absoluteTimeoutMilliseconds == nil ? 0 : 4_000_000
        return ServerHistory.Grace(
            told: bound, expired: lifetimeMilliseconds * 2 + 3000 + skew,
            untold: lifetimeMilliseconds * 1002 + bound + skew)
    }

    func check(_ route: Route, of request: SimulatedRequest, _ basis: DecisionBasis) {
        let replica = request.replica
        let who = "replica \(replica.index).\(request.loop), \(name(request.session))"
        if !replica.health.isUp(route.backend) { fail("I11", "\(who): routed to a backend that is down") }
        if let hint = request.hint, route.binding.epoch < hint.binding.epoch {
            fail("I6", "\(who): \(name(route.binding)) is below the hint's \(name(hint.binding))")
        }
        if route.provenance != .detoured,
            replica.membership.backends[route.backend].hash != route.binding.backend
        {
            fail("I4", "\(who): the route is not its binding's")
        }
        if request.isForged, route.provenance != .placed, route.provenance != .hashed {
            fail("I13", "\(who): a cookie that does not open led to \(route.provenance.rawValue)")
        }
        checkDelay(of: request, who)
        checkChoice(route, request, who)
        checkAsked(request, basis)
        if case .alone = basis {
            coverage.count("degraded decisions")
            checkStandby(route, of: request)
        }
        guard let (server, binding) = ground(of: route, basis, request) else { return }
        coverage.count("undegraded decisions")
        judge(binding, of: request, on: server, basis, who)
        if route.touch == nil { checkLifetime(request, on: server) }
        if case .rebound = route.provenance, case .alone = basis { made[request.session, default: []].insert(binding) }
    }

    /// The server whose history is used to judge a decision; nil if the decision was made without the store.
    private func ground(
        of route: Route, _ basis: DecisionBasis, _ request: SimulatedRequest
    ) -> (SimulatedServer, Binding)? {
        let primary = primary(of: request.session)
        switch basis {
        case .alone:
            if route.provenance == .rebound { made[request.session, default: []].insert(route.binding) }
            return nil
        case .cache:
            guard let server = request.replica.hearings[primary].server else { return nil }
            checkSplit(server, request.replica, name(request.session))
            if scenario.isGuarded, !hasTrust, server !== primaries[primary].current {
                fail("I1", "\(name(request.session)): cached by a primary that was replaced")
            }
            return (server, route.binding)
        case .result(let binding, let origin):
            if !origin.isAuthoritative { checkSplit(origin.server, request.replica, name(request.session)) }
            if scenario.isGuarded, !hasTrust, !origin.isAuthoritative {
                fail("I1", "\(name(request.session)): answered by a primary that was replaced")
            }
            return (origin.server, binding)
        }
    }

    private func judge(
        _ binding: Binding, of request: SimulatedRequest, on server: SimulatedServer, _ basis: DecisionBasis,
        _ who: String
    ) {
        let session = request.session
        var grace = grace
        // A result may be as old as the lease.
        if case .result = basis { grace.expired += bound }
        let verdict = server.history.judge(
            binding, of: session, expiry: server.records[session]?.expires, grace: grace, now: now)
        switch verdict {
        case .wrong(let reason): fail("I1", "\(who): decided by \(name(binding)), \(reason)")
        case .fine(let incarnation):
            let key = HighestKey(
                replica: request.replica.index, life: request.life, session: session, server: server.id,
                serverLife: server.life, incarnation: incarnation)
            if let before = highest[key], before > binding.epoch {
                fail("I2", "\(who): decided by \(name(binding)) after epoch \(before)")
            }
            highest[key] = binding.epoch
        }
    }

    /// The backends that may receive new sessions: draining ones only as a last resort.
    private func takers(of replica: SimulatedReplica) -> [Int] {
        let backends = replica.membership.backends
        let up = backends.indices.filter { replica.health.isUp($0) && backends[$0].weight > 0 }
        let open = up.filter { !backends[$0].isDraining }
        return open.isEmpty ? up : open
    }

    /// I7, I11: a choice made without knowledge must be the choice that every replica would make.
    private func checkChoice(_ route: Route, _ request: SimulatedRequest, _ who: String) {
        let replica = request.replica
        let isChoice: Bool
        switch route.provenance {
        case .hashed, .detoured, .placed: isChoice = true
        default: isChoice = false
        }
        guard isChoice else { return }
        let membership = replica.membership
        let isOwn = route.binding.backend == membership.backends[route.backend].hash
        if route.provenance == .detoured, isOwn { return }
        let takers = takers(of: replica)
        if !takers.contains(route.backend) { fail("I7", "\(who): chose a backend that takes none") }
        if route.provenance == .placed { return }
        let candidates = membership.ranked(request.session).filter { takers.contains($0) }
        let first = candidates.first { !replica.health.isAvoided($0) } ?? candidates.first
        if first != route.backend { fail("I7", "\(who): \(route.provenance.rawValue) to another than the first") }
    }

    /// I11: the store may delay a request by the budget, and by one operation that was sent just before.
    private func checkDelay(of request: SimulatedRequest, _ who: String) {
        if request.operations > 4 { fail("I11", "\(who): \(request.operations) questions") }
        guard let since = request.pendingSince else { return }
        let paused = request.replica.pausedUntil + 1000
        if now - max(since, min(paused, now)) > 2 * scenario.settings.budgetMilliseconds * 1000 + 1000, paused < since {
            fail("I11", "\(who): held up for \((now - since) / 1000) ms")
        }
    }

    func check(_ refusal: Refusal, of request: SimulatedRequest) {
        let replica = request.replica
        coverage.count("refusals")
        switch refusal {
        case .backendUnavailable:
            if scenario.settings.onUnavailable != .reject { fail("I11", "rejected, though that is not asked for") }
        case .noBackend:
            if !takers(of: replica).isEmpty {
                fail("I11", "replica \(replica.index), \(name(request.session)): refused while a backend is usable")
            }
        }
    }

    // MARK: Operations

    func check(_ operation: StoreOperation, of request: SimulatedRequest) {
        if request.isForged { fail("I13", "a cookie that does not open led to \(describe(operation))") }
        checkMove(
            operation, of: request.session, lastRecord: request.lastRecord, at: request.replica, isRequest: true,
            hint: request.hint)
    }

    /// I9: an operation that can override a record must rest on knowledge, and must move a session only off an unusable
    /// backend. I14: no replica moves a session alone.
    func checkMove(
        _ operation: StoreOperation, of session: Fingerprint, lastRecord: Binding?, at replica: SimulatedReplica,
        isRequest: Bool, hint: Hint? = nil
    ) {
        let who = "replica \(replica.index), \(name(session))"
        let entry = replica.cache.peek(session, now: replica.instant(now))
        switch operation {
        case .create, .touch, .drop, .read: return
        case .offer(_, let binding, _, _):
            if made[session]?.contains(binding) != true {
                fail("I9", "\(who): offers \(name(binding)), which nobody knows")
            }
        case .restore(_, let binding, _, _):
            let isForeign = binding.epoch == 1
            if !isForeign, made[session]?.contains(binding) != true {
                fail("I9", "\(who): restores \(name(binding)), which nobody knows")
            }
            if !isForeign { checkAlive(binding, of: session, lastRecord: lastRecord, at: replica, hint: hint) }
        case .rebind(_, let from, let backend, _, _):
            let isConfirmed =
                from.epoch == 1 && entry?.binding == Binding(backend: backend, epoch: 1)
                && entry?.kind == .confirmed
            if isConfirmed || from.isTombstone { return }
            let known = [entry?.binding, hint?.binding, lastRecord].compactMap { $0 }
            if !known.contains(from) { fail("I9", "\(who): moves off \(name(from)), knowing \(known.map(name))") }
            guard let index = replica.membership.index(of: from.backend) else { return }
            if replica.health.isUp(index) { fail("I9", "\(who): moves off \(name(from)), which is usable") }
            coverage.count("moves asked for")
            checkConsent(replica, session, index, who)
        }
    }

    private func checkConsent(_ replica: SimulatedReplica, _ session: Fingerprint, _ backend: Int, _ who: String) {
        if !replica.coherence.isLive(for: session, now: replica.instant(now)) {
            return fail("I14", "\(who): moves a session while its channel is not live")
        }
        let place = replica.places[backend]
        let longAgo = now - 5_000_000
        // The vote of a process that has ended counts until its silence is noticed.
        guard lastRestart < longAgo else { return }
        let voters = replicas.filter { $0.places.contains(place) }
        let server = replica.hearings[0].server
        let up = voters.count {
            $0 !== replica && $0.hearings[0].server === server && reachSince[$0.index][place] < longAgo
                && works(place, for: $0)
        }
        if up * 2 >= voters.count, !works(place, for: replica) {
            fail("I14", "\(who): moves a session off \(world[place]), which \(up) of \(voters.count) replicas reach")
        }
    }

    /// If two bindings have epoch 1, the binding that the store once confirmed wins (section 6).
    func checkConfirmed(
        _ before: BindingCache.Entry?, _ result: StoreResult, _ step: Step, _ request: SimulatedRequest
    ) {
        guard case .record(let found) = result, case let record = found.binding, record.epoch == 1, !record.isTombstone,
            let before,
            before.kind == .confirmed, before.binding.epoch == 1, before.binding != record,
            let index = request.replica.membership.index(of: before.binding.backend),
            request.replica.health.isUp(index), case .forward(let route) = step, route.binding == record
        else { return }
        fail("§6", "\(name(request.session)): \(name(record)) displaces \(name(before.binding)), once confirmed")
    }

    // MARK: Lifetimes

    /// I12: at most four touches in a lifetime. If sessions end by age, clock differences cause more.
    func checkTouches(_ request: SimulatedRequest) {
        guard scenario.settings.absoluteTimeoutMilliseconds == nil else { return }
        let replica = request.replica
        let lifetimeMilliseconds = scenario.settings.recordLifetimeMilliseconds
        let since = now - lifetimeMilliseconds * 998 + 4 * Self.patience
        var touches = replica.lastTouches[request.session, default: []].filter { $0 > since }
        touches.append(now)
        replica.lastTouches[request.session] = touches
        if touches.count > 4 {
            fail("I12", "replica \(replica.index), \(name(request.session)): \(touches.count) touches in a lifetime")
        }
    }

    /// A touch that prolonged nothing is repeated soon, and does not count.
    func noteFailedTouch(_ session: Fingerprint, by replica: SimulatedReplica, _ result: StoreResult) {
        switch result {
        case .unavailable, .readOnly: _ = replica.lastTouches[session]?.popLast()
        default: break
        }
    }

    /// I15: a session that was just used lives for the idle timeout, if it needs no touch.
    func checkLifetime(_ request: SimulatedRequest, on server: SimulatedServer) {
        let replica = request.replica
        let place = primary(of: request.session)
        guard scenario.settings.absoluteTimeoutMilliseconds == nil,
            replica.mayAsk(loop: request.loop, about: request.session, now: now)
        else {
            return
        }
        guard server === primaries[place].current, let record = server.living(request.session, now: now),
            let entry = replica.cache.peek(request.session, now: replica.instant(now)),
            entry.binding == record.binding, entry.touches == 0 || !has(.touch),
            now - server.lastLoss > scenario.settings.recordLifetimeMilliseconds * 1000
        else { return }
        let idle = scenario.settings.idleTimeoutMilliseconds
        if record.expires < now + idle * 998 - 70_000 {
            fail("I15", "\(name(request.session)): in use, and gone in \((record.expires - now) / 1000) ms")
        }
    }
}
