import Affinity

/// Decisions by a server that is not the primary, where Sentinels name it.
extension Simulation {
    /// A quiet round, its answers, a turn of the network, and a replica that has just begun to ask.
    private var agreementBound: Moment {
        (SentinelTopology.quietIntervalMilliseconds + 2 * SentinelTopology.answerTimeoutMilliseconds) * 1001 + 100_000
    }

    /// Without a guard, or with one that is too small, a replaced primary goes on. A replica leaves it as soon as it
    /// learns from a majority of the Sentinels that another took its place.
    func checkSplit(_ server: SimulatedServer, _ replica: SimulatedReplica, _ who: String) {
        guard let sentinels = primaries[server.primary].sentinels, server !== primaries[server.primary].current else {
            return
        }
        // Nothing was known when this replica began, and no majority answered.
        guard replica.view.guides[server.primary].topology.basis == .majority || !has(.sentinelMajority) else {
            return coverage.count("decisions on a minority's word")
        }
        // A process that begins cannot know that the first server it meets was frozen.
        guard server.links.frozenAt < 0 || replica.beganAt < server.links.frozenAt else {
            return coverage.count("decisions of a process that met a woken primary first")
        }
        coverage.count("decisions by a replaced primary")
        let place = primaries[server.primary]
        let agreed = max(sentinels.agreedSinceFor[replica.index], replica.pausedUntil)
        if let replacedAt = server.links.replacedAt, server === place.former {
            coverage.widen("split window", to: now - replacedAt)
        }
        // What the former primary was told, and heard, until then holds for as long as on one server.
        let isLate = now - (server.links.replacedAt ?? -1 << 40) > bound
        if scenario.isGuarded, isLate { fail("I1", "\(who): decided by redis \(server.id), which was replaced") }
        if server === sentinels.stranger { fail("majority", "\(who): decided by a server that only a minority named") }
        if sentinels.agreedSinceFor[replica.index] < .max {
            coverage.widen("split window after a majority agreed", to: now - agreed)
            if now - agreed > agreementBound {
                fail(
                    "split",
                    "\(who): decided by redis \(server.id), \((now - agreed) / 1000) ms after a majority agreed")
            }
        }
        // It was frozen while it was replaced, and was told nothing.
        if server.links.frozenAt >= 0, server.links.replacedAt ?? 0 > server.links.frozenAt,
            sentinels.agreedSince < server.links.wokeAt
        {
            fail("woken", "\(who): decided by redis \(server.id), which was replaced while it was frozen")
        }
    }

    /// What only a minority of the Sentinels says leads no replica from one server to another.
    func checkLed(
        _ replica: SimulatedReplica, from before: SimulatedServer?, to server: SimulatedServer, _ primary: Int
    ) {
        let basis = replica.view.guides[primary].topology.basis
        guard before != nil, basis != .majority || !has(.sentinelMajority), server !== primaries[primary].current
        else { return }
        fail("majority", "replica \(replica.index) is led to redis \(server.id) by a minority")
    }

    // MARK: When all is well

    /// All replicas use the primary that the Sentinels name, once these agree and have been asked.
    func healSentinels() {
        for primary in primaries.indices { endFaultsOfSentinels(primary) }
        // What is frozen wakes, and what is down restarts.
        while violation == nil, primaries.contains(where: { now < $0.current.stalledUntil || !$0.current.isAlive }) {
            runUntil(now + 100_000)
        }
        for primary in primaries.indices { tellSentinels(primary, within: 2_000_000) }
        runUntil(now + 2_000_000 + agreementBound + 1_500_000)
        if violation == nil { checkUsed() }
        while violation == nil, primaries.contains(where: { !isInOrder($0) }) { runUntil(now + 100_000) }
    }

    private func endFaultsOfSentinels(_ primary: Int) {
        for number in primaries[primary].sentinels?.all.indices ?? 0..<0 {
            primaries[primary].sentinels?.all[number].lie = nil
            primaries[primary].sentinels?.all[number].hiddenFrom = []
        }
        for server in primaries[primary].sentinels?.servers ?? [] {
            server.links.isCutOff = false
            server.reachableBy = nil
        }
        noteAgreement(primary)
    }

    private func isInOrder(_ place: PrimaryPlace) -> Bool {
        guard place.former == nil, !place.isFailing, let sentinels = place.sentinels else { return false }
        return sentinels.servers.allSatisfy { $0 === place.current || $0.links.master === place.current }
    }

    private func checkUsed() {
        for replica in replicas {
            for (primary, place) in primaries.enumerated() {
                let server = replica.hearings[primary].subscriber.flatMap { $0.isServing ? $0.server : nil }
                guard server !== place.current || replica.view.guides[primary].server !== place.current else {
                    continue
                }
                fail(
                    "convergence",
                    "replica \(replica.index) uses redis \(server.map { String($0.id) } ?? "none"), not \(place.current.id)"
                )
            }
        }
    }
}
