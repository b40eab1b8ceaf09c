import Affinity

/// I5: once faults heal, all agree.
extension Simulation {
    /// Long enough to connect again, to hear every replica, and to offer everything.
    private static let quiet: Moment = 8_000_000

    func heal() {
        random = SeededRandom(seed: scenario.seed ^ 0x4ea1)
        tell("-- everything heals")
        endFaults()
        runUntil(now + Self.quiet)
        guard violation == nil else { return }
        checkOffered()
        resolveEverywhere()
        runUntil(now + 500_000)
        let before = coverage.count(of: "refusals")
        resolveEverywhere()
        checkAgreement()
        if coverage.count(of: "refusals") != before { fail("I11", "refused though everything is well") }
    }

    private func endFaults() {
        brokenBackends = []
        for replica in replicas {
            cutBackends[replica.index] = []
            replica.pausedUntil = min(replica.pausedUntil, now)
            let connections = replica.hearings.map(\.subscriber) + replica.loops.flatMap(\.data)
            for connection in connections.compactMap({ $0 }) {
                connection.delayedUntil = now
                connection.heldUntil = min(connection.heldUntil, now)
            }
        }
        for primary in primaries.indices {
            heal(primary)
            primaries[primary].current.stalledUntil = min(primaries[primary].current.stalledUntil, now)
            primaries[primary].current.memoryFullUntil = min(primaries[primary].current.memoryFullUntil, now)
            primaries[primary].current.replicationLag = 0
        }
        // Who is configured otherwise is started again.
        let membership = replicas.map(\.membershipIndex).max() ?? 0
        for replica in replicas where replica.membershipIndex != membership {
            start(replica: replica.index, life: replica.life + 1, membership: membership)
        }
    }

    private func resolveEverywhere() {
        for client in clients.indices {
            for replica in replicas {
                guard violation == nil else { return }
                schedule(.arrive(client: client, loop: client % 2, forged: false), of: replica, after: 0)
                runUntil(now + 30_000 + scenario.settings.budget * 1000)
            }
        }
    }

    /// What was decided without the store, and what it has lost of the last minute's writes, was told to it.
    private func checkOffered() {
        for replica in replicas {
            for client in clients {
                let session = client.session
                let entry = replica.cache.peek(session, now: replica.instant(now))
                if let entry, entry.kind == .dirty {
                    fail("I5", "replica \(replica.index): \(name(session)) \(name(entry.binding)) was never offered")
                }
                if let entry, entry.kind == .guess, standing(session) == nil {
                    fail("I5", "replica \(replica.index): the guess of \(name(session)) was never offered")
                }
            }
            for write in replica.acknowledged { checkRepeated(write.session, write.binding, write.at, replica) }
        }
    }

    private func standing(_ session: Fingerprint) -> Binding? {
        primaries[primary(of: session)].current.living(session, now: now)?.binding
    }

    private func checkRepeated(
        _ session: Fingerprint, _ binding: Binding, _ at: Moment, _ replica: SimulatedReplica
    ) {
        guard scenario.settings.absoluteTimeout == nil, at > now - 55_000_000,
            at + scenario.settings.recordLifetime * 998 > now, (silentlyLost[session] ?? 0) < at
        else { return }
        let held = standing(session)
        if held == nil || held.map({ $0.epoch < binding.epoch }) == true {
            let what = held.map(name) ?? "nothing"
            fail("I5", "replica \(replica.index)'s \(name(binding)) of \(name(session)) is lost: there is \(what)")
        }
    }

    private func checkAgreement() {
        for client in clients where !client.isNew {
            let held = standing(client.session)
            for replica in replicas {
                guard let entry = replica.cache.peek(client.session, now: replica.instant(now)) else {
                    if scenario.cacheEntries > 100 {
                        fail("I5", "replica \(replica.index) knows nothing of \(name(client.session))")
                    }
                    continue
                }
                if entry.binding != held || entry.kind != .confirmed {
                    fail(
                        "I5",
                        "\(name(client.session)): replica \(replica.index) has \(name(entry.binding)), "
                            + "the store \(held.map(name) ?? "nothing")")
                }
            }
        }
    }
}
