import Affinity

/// What replicas knew when the store lost data, for I17.
struct Claims {
    struct Claim {
        let replica: SimulatedReplica
        let session: Fingerprint
        let binding: Binding
        let expires: Moment
        /// Whether the store has lost data once more since: each loss may cost a quarter of what is left.
        var isOld = false
    }

    var all: [Claim] = []
    var lostAt: Moment = 0
}

/// The invariants of standby.
extension Simulation {
    // MARK: I16

    /// I16: without the store, a synced replica sends a request to the backend that the record named when the store was
    /// last heard, or since.
    func checkStandby(_ route: Route, of request: SimulatedRequest) {
        switch route.provenance {
        case .placed, .balanced, .claimed, .stored: return
        case .cached, .hinted, .hashed, .detoured, .rebound: break
        }
        // The cache has no room for every session.
        if scenario.cacheEntries == 1, route.provenance == .hashed { return }
        guard request.lastRecord == nil, !request.isForged, let known = expected(of: request) else { return }
        coverage.count("decisions that rest on standby's promise")
        let backends = known.all.compactMap { request.replica.membership.index(of: $0.backend) }
        if backends.contains(route.backend) { return }
        fail(
            "I16",
            "replica \(request.replica.index).\(request.loop), \(name(request.session)): sent to "
                + "\(request.replica.membership.backends[route.backend].name) by \(name(route.binding)), "
                + "\(route.provenance.rawValue), but the store held \(name(known.first)) since \(known.since) µs")
    }

    /// What the record was when this replica last heard the store, with whatever followed; nil if it need not know.
    private func expected(of request: SimulatedRequest) -> (first: Binding, since: Moment, all: [Binding])? {
        let (replica, session) = (request.replica, request.session)
        let primary = primary(of: session)
        let hearing = replica.hearings[primary]
        guard let standby = hearing.standby, let server = hearing.server, let began = standby.syncedBegan,
            replica.isSynced(primary: primary, now: now)
        else { return nil }
        let reigns = server.history.standing(
            session, from: hearing.echoedAt, to: now, expiry: server.records[session]?.expires)
        guard let first = reigns.first, first.since <= hearing.echoedAt, !first.binding.isTombstone else { return nil }
        let readAt = standby.readAt[session] ?? -1
        let isTold =
            server.announced[session, default: []].contains {
                $0.binding == first.binding && $0.at >= first.since && $0.at <= hearing.echoedAt
            }
        guard first.since <= max(began, readAt) || isTold else { return nil }
        if let hint = request.hint, hint.binding.epoch >= first.binding.epoch { return nil }
        // It has expired, and its session begun anew since: nobody could tell this replica.
        guard !reigns.contains(where: { $0.end == .expired }) else { return nil }
        let bindings = reigns.map(\.binding)
        // Dropped meanwhile: its key begins anew.
        guard !bindings.contains(where: \.isTombstone) else { return nil }
        guard !bindings.contains(where: { isExcused(request, $0, server) }) else { return nil }
        return (first.binding, now - first.since, bindings)
    }

    private func isExcused(_ request: SimulatedRequest, _ binding: Binding, _ server: SimulatedServer) -> Bool {
        let (replica, session) = (request.replica, request.session)
        let hearing = replica.hearings[primary(of: session)]
        // Not usable, or not since the store went away: then the session was moved, or guessed elsewhere.
        guard let index = replica.membership.index(of: binding.backend), replica.health.isUp(index),
            replica.usableSince[index] <= hearing.echoedAt
        else { return true }
        // Another server says otherwise.
        if replica.loops.contains(where: { loop in
            loop.data.contains { $0?.isServing == true && $0?.server !== server && $0?.primary == server.primary }
        }) {
            return true
        }
        let instant = replica.instant(now)
        let entry = replica.cache.peek(session, now: instant)
        if entry?.kind == .dirty || isConflict(entry, binding, replica, server.primary) { return true }
        // Such a binding, once its life is over, names the guess.
        if hearing.standby?.conflicts.contains(session) == true { return true }
        // The store has lost the record without a word; what this replica knows by itself is kept until it asks.
        let lifetime = scenario.settings.recordLifetimeMilliseconds * 1000
        let isOwn = replica.answered[session] != nil || replica.written[session] != nil
        if isOwn, let lost = silentlyLost[session], lost + 2 * lifetime > hearing.echoedAt, entry?.binding != binding {
            return true
        }
        // Evicted.
        if let standby = hearing.standby, replica.cache.losses != standby.lossesBefore, entry == nil { return true }
        // Ended by age.
        guard let absolute = scenario.settings.absoluteTimeoutMilliseconds else { return false }
        guard let created = server.records[session]?.createdAtSeconds else { return true }
        // A move that was heard tells nothing of the age.
        let known = entry ?? replica.cache.expired(session, now: instant)
        if known?.createdAtSeconds != created { return true }
        return Int64(replica.wall(now)) - Int64(created) >= absolute / 1000 - 3
    }

    /// Of two bindings of epoch 1 the one that the store once confirmed wins, with this replica's next request
    /// (section 6).
    private func isConflict(
        _ entry: BindingCache.Entry?, _ binding: Binding, _ replica: SimulatedReplica, _ primary: Int
    ) -> Bool {
        guard let entry, entry.kind == .confirmed, entry.conflicts(by: binding) else { return false }
        return entry.confirmedAt < replica.hearings[primary].channel.status.lineageBegan
    }

    /// The replica is told of a record.
    func noteConflict(_ record: Binding, of session: Fingerprint, at replica: SimulatedReplica) {
        let primary = primary(of: session)
        let entry = replica.cache.peek(session, now: replica.instant(now))
        if isConflict(entry, record, replica, primary) {
            replica.hearings[primary].standby?.conflicts.insert(session)
        } else {
            replica.hearings[primary].standby?.conflicts.remove(session)
        }
    }

    // MARK: I18

    /// I18: no decision rests on standby without an answer of the store to this replica.
    func checkAsked(_ request: SimulatedRequest, _ basis: DecisionBasis) {
        guard case .cache = basis,
            let entry = request.replica.cache.peek(request.session, now: request.replica.instant(now)),
            entry.isStandby
        else { return }
        fail("I18", "\(name(request.session)): decided by standby \(name(entry.binding))")
    }

    /// I18: what has expired proves nothing.
    func checkAlive(
        _ binding: Binding, of session: Fingerprint, lastRecord: Binding?, at replica: SimulatedReplica, hint: Hint?
    ) {
        let instant = replica.instant(now)
        let known = [replica.cache.peek(session, now: instant)?.binding, hint?.binding, lastRecord]
        if known.contains(binding) { return }
        let lifetime = scenario.settings.recordLifetimeMilliseconds * 1002
        if replica.acknowledged.contains(where: {
            $0.session == session && $0.binding == binding && $0.at + lifetime > now
        }) {
            return
        }
        // It has expired on the way.
        if let expired = replica.cache.expired(session, now: instant), expired.binding == binding,
            expired.expiresAt > instant.advanced(byMilliseconds: -1000)
        {
            return
        }
        fail("I18", "replica \(replica.index), \(name(session)): \(name(binding)) is restored, but not alive here")
    }

    // MARK: I17

    /// The store is about to lose data.
    func noteLoss(_ primary: Int) {
        claims[primary].lostAt = now
        claims[primary].all.removeAll { $0.replica.life < 0 }
        for index in claims[primary].all.indices { claims[primary].all[index].isOld = true }
        for replica in replicas where replica.release == .present {
            let instant = replica.instant(now)
            var position: BindingCache.Position? = BindingCache.Position()
            let sessions = replica.cache.unconfirmed(
                from: &position, sets: 1000, before: .distantFuture, now: instant)
            for session in sessions where self.primary(of: session) == primary {
                guard let entry = replica.cache.peek(session, now: instant) else { continue }
                let expires = now + entry.expiresAt.milliseconds(since: instant) * 1000
                claims[primary].all.append(
                    .init(replica: replica, session: session, binding: entry.binding, expires: expires))
            }
        }
    }

    /// I17: when every replica has ended its refill, the store holds what any of them knew.
    func checkRefilled(_ primary: Int) {
        guard !claims[primary].all.isEmpty, isRefilled(primary) else { return }
        let (lostAt, all) = (claims[primary].lostAt, claims[primary].all)
        claims[primary].all = []
        let server = primaries[primary].current
        // A session may have ended by age: hints and records may tell it differently.
        guard server.lastRefusal < lostAt, scenario.settings.absoluteTimeoutMilliseconds == nil else { return }
        coverage.count("refills ended")
        for claim in all where claim.replica.life >= 0 {
            guard claim.expires > now + 500_000, (silentlyLost[claim.session] ?? -1) < lostAt else { continue }
            let entry = claim.replica.cache.peek(claim.session, now: claim.replica.instant(now))
            // Evicted, or moved since: then the sweep offers it.
            let isEvicted = entry.map { $0.binding.epoch < claim.binding.epoch } ?? true
            if scenario.cacheEntries == 1 && isEvicted || entry?.kind == .dirty { continue }
            // A request asked: from then on touches keep the record alive.
            if let at = claim.replica.answered[claim.session], at >= lostAt { continue }
            check(claim, server.living(claim.session, now: now), lostAt: lostAt)
        }
    }

    private func check(_ claim: Claims.Claim, _ record: ModelRecord?, lostAt: Moment) {
        coverage.count("bindings known through a loss")
        let what = "\(name(claim.session)): replica \(claim.replica.index) knew \(name(claim.binding))"
        guard let record, let held = record.binding else { return fail("I17", "\(what), the store holds nothing") }
        if held.epoch < claim.binding.epoch { return fail("I17", "\(what), the store holds \(name(held))") }
        // What was left at the loss: the difference stays as time passes, and the ratio falls.
        let (life, known) = (record.expires - lostAt, claim.expires - lostAt)
        guard scenario.cacheEntries > 1 else { return }
        if held == claim.binding, !claim.isOld, life < known / 4 * 3 - 350_000 {
            fail("I17", "\(what) for \(known / 1000) ms after the loss, the store only for \(life / 1000) ms")
        }
    }

    private func isRefilled(_ primary: Int) -> Bool {
        let (server, lostAt) = (primaries[primary].current, claims[primary].lostAt)
        guard server.isAlive else { return false }
        return replicas.allSatisfy { replica in
            guard replica.release == .present else { return true }
            let hearing = replica.hearings[primary]
            guard hearing.server === server, hearing.subscriber?.isOpen == true, hearing.echoedAt > lostAt,
                replica.coherence.isLive(primary: primary, now: replica.instant(now)), let standby = hearing.standby
            else { return false }
            return !standby.core.isRefilling
        }
    }

    /// Guesses last: the guess of a replica does not take the place of what another knows.
    func checkGuessWritten(_ session: Fingerprint, by replica: SimulatedReplica) {
        let server = primaries[primary(of: session)].current
        let longAgo = now - 700_000
        // Another server may have told what a replica knows.
        guard !scenario.hasStandby, claims[server.primary].lostAt < longAgo else { return }
        for other in replicas where other !== replica && other.release == .present {
            let hearing = other.hearings[server.primary]
            guard hearing.server === server, hearing.liveSince < longAgo, other.pausedUntil < longAgo,
                other.coherence.isLive(primary: server.primary, now: other.instant(now)),
                server.lastRefusal < claims[server.primary].lostAt,
                // What is lost without anybody's knowledge is told on the session's next request.
                (silentlyLost[session] ?? -1) < claims[server.primary].lostAt,
                let entry = other.cache.peek(session, now: other.instant(now)), entry.kind == .confirmed,
                entry.expiresAt.milliseconds(since: other.instant(now)) > 500
            else { continue }
            fail(
                "§6",
                "\(name(session)): replica \(replica.index)'s guess is written before what replica "
                    + "\(other.index) knows, \(name(entry.binding))")
        }
    }

    /// A scan that begins while another replica refills is begun in vain.
    func checkScanBegins(_ primary: Int, at replica: SimulatedReplica) {
        // Not the second try of a first page, nor a refill of its own.
        if case .syncing? = replica.status { return }
        if replica.release == .refused { return }
        let status = replica.hearings[primary].standby?.core.status(now: replica.instant(now))
        if status != .refilling, replica.fleet.roster.standby.isRefilling {
            fail("scan in vain", "replica \(replica.index) scans while another refills")
        }
    }

    // MARK: When all is well

    /// Where faults end by themselves, nothing has happened for so long that all have: then as in the end.
    func checkCalm(before choice: Int) {
        guard scenario.profile == .touches, choice > 0,
            scenario.choices[choice].at - scenario.choices[choice - 1].at > 10_000_000
        else { return }
        coverage.count("calms")
        checkSynced()
    }

    /// Every replica is synced in the end, and knows what the store holds.
    func checkSynced() {
        guard scenario.cacheEntries > 1, replicas.allSatisfy({ $0.release == .present }) else { return }
        for (primary, claims) in claims.enumerated() where !claims.all.isEmpty {
            fail("I17", "the refill of primary \(primary) has not ended")
        }
        for replica in replicas {
            for primary in primaries.indices {
                let status = replica.hearings[primary].standby?.core.status(now: replica.instant(now))
                if status != .synced {
                    fail("I16", "replica \(replica.index) is not synced in the end, but \(String(describing: status))")
                }
                checkKnown(by: replica, primary)
            }
        }
    }

    private func checkKnown(by replica: SimulatedReplica, _ primary: Int) {
        // What ended by age may begin anew at a lower epoch.
        guard !hasTrust || scenario.settings.absoluteTimeoutMilliseconds == nil else { return }
        let server = primaries[primary].current
        for (session, record) in server.records where record.expires > now + 300_000 {
            // Nobody announces what a process that was killed has written last.
            guard let binding = record.binding, !binding.isTombstone,
                server.writers[session].map({ $0.life >= 0 }) ?? false,
                (silentlyLost[session] ?? -1) < now - 8_000_000
            else { continue }
            let instant = replica.instant(now)
            let entry = replica.cache.peek(session, now: instant) ?? replica.cache.expired(session, now: instant)
            if let entry, !entry.isStandby, entry.binding.epoch >= binding.epoch, silentlyLost[session] != nil {
                continue
            }
            if entry?.binding == binding || entry?.kind == .dirty || isConflict(entry, binding, replica, primary) {
                continue
            }
            fail(
                "I16",
                "replica \(replica.index) is synced, and has \(entry.map { name($0.binding) } ?? "nothing") for "
                    + "\(name(session)), the store \(name(binding))")
        }
    }
}
