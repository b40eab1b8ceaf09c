import Affinity

/// I5: once faults heal, all replicas agree.
extension Simulation {
    /// Long enough for pauses to end, and for a replica to reconnect, hear every other replica, and send all its
    /// offers.
    private var quiet: Moment {
        6_000_000 + FleetRoster.intervalMilliseconds(replicas: scenario.replicaCount) * 2000
    }

    func heal() {
        random = SeededRandom(seed: scenario.seed ^ 0x4ea1)
        note("-- everything heals")
        endFaults()
        if hasTrust { healSentinels() }
        runUntil(now + quiet)
        guard violation == nil else { return }
        checkOffered()
        // A refill that the store has refused begins again ten seconds later.
        runUntil(now + 7_000_000)
        guard violation == nil else { return }
        checkSynced()
        let before = coverage.count(of: "refusals")
        for client in clients.indices where violation == nil { resolve(client) }
        if coverage.count(of: "refusals") != before { fail("I11", "refused though everything is well") }
    }

    /// Makes every replica resolve the session, and checks that all of them agree.
    private func resolve(_ client: Int) {
        // The first round may be a new session's first request, for which nothing is written.
        for _ in 0..<3 {
            for replica in replicas {
                schedule(.arrive(client: client, loop: client % 2, forged: false), of: replica, after: 0)
                runUntil(now + 15_000)
            }
        }
        if violation == nil { checkAgreement(clients[client]) }
    }

    private func endFaults() {
        brokenBackends = []
        for replica in replicas {
            cutBackends[replica.index] = []
            sickBackends[replica.index] = []
            let connections = replica.hearings.map(\.subscriber) + replica.loops.flatMap(\.data)
            for connection in connections.compactMap({ $0 }) {
                connection.delayedUntil = now
                if connection.isDead { abandon(connection, "found dead") }
            }
        }
        for primary in primaries.indices {
            if !hasTrust { heal(primary) }
            primaries[primary].current.memoryFullUntil = min(primaries[primary].current.memoryFullUntil, now)
            primaries[primary].current.replicationLag = 0
        }
        // Restarts the replicas with another configuration.
        let membership = replicas.map(\.membershipIndex).max() ?? 0
        for replica in replicas where replica.membershipIndex != membership {
            start(replica: replica.index, life: replica.life + 1, membership: membership)
        }
    }

    /// Checks that the store was offered what was decided without it, and the writes of the last minute that it has
    /// lost.
    private func checkOffered() {
        for replica in replicas {
            for client in clients {
                let session = client.session
                let entry = replica.cache.peek(session, now: replica.instant(now))
                if let entry, entry.kind == .dirty {
                    fail("I5", "replica \(replica.index): \(name(session)) \(name(entry.binding)) was never offered")
                }
                // A guess whose backend is down no longer counts, and may miss its time to be offered.
                let wasDown = coverage.count(of: "connections to backends failed") > 0
                if let entry, entry.kind == .guess, !wasDown, status(session) == nil {
                    fail("I5", "replica \(replica.index): the guess of \(name(session)) was never offered")
                }
            }
            for write in replica.acknowledged { checkRepeated(write.session, write.binding, write.at, replica) }
        }
    }

    private func status(_ session: Fingerprint) -> Binding? {
        primaries[primary(of: session)].current.living(session, now: now)?.binding
    }

    private func checkRepeated(
        _ session: Fingerprint, _ binding: Binding, _ at: Moment, _ replica: SimulatedReplica
    ) {
        // A replaced primary that goes on extends no life at its successor.
        guard !hasTrust || scenario.isGuarded else { return }
        guard scenario.settings.absoluteTimeoutMilliseconds == nil, at > now - 55_000_000,
            at + leastLife(since: at, of: session) > now, (silentlyLost[session] ?? 0) < at,
            made[session]?.contains(where: { $0.epoch >= binding.epoch && $0 != binding }) != true
        else { return }
        let held = status(session)
        if held == nil || held.map({ $0.epoch < binding.epoch }) == true {
            let what = held.map(name) ?? "nothing"
            fail("I5", "replica \(replica.index)'s \(name(binding)) of \(name(session)) is lost: there is \(what)")
        }
    }

    /// How long what was written then lives at least. Each loss may cost a quarter of what is left.
    private func leastLife(since at: Moment, of session: Fingerprint) -> Moment {
        let lifetime = scenario.settings.recordLifetimeMilliseconds * 998
        return claims[primary(of: session)].lostAt >= at ? lifetime / 2 : lifetime
    }

    private func checkAgreement(_ client: SimulatedClient) {
        // A touch discovers a silently lost record. If sessions end by age, the replicas' clocks differ about the time.
        let isLost =
            silentlyLost[client.session].map { $0 + scenario.settings.recordLifetimeMilliseconds * 1002 > now } ?? false
        guard !isLost, scenario.settings.absoluteTimeoutMilliseconds == nil else { return }
        let held = status(client.session)
        for replica in replicas {
            let instant = replica.instant(now)
            // What another replica has touched may have ended here just now: the next request asks.
            let entry =
                replica.cache.peek(client.session, now: instant) ?? replica.cache.expired(client.session, now: instant)
            guard entry?.binding != held || entry?.kind != .confirmed else { continue }
            fail(
                "I5",
                "\(name(client.session)): replica \(replica.index) has \(entry.map { name($0.binding) } ?? "nothing"), "
                    + "the store \(held.map(name) ?? "nothing")")
        }
    }
}
