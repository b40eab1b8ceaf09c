import Affinity

/// Servers that Sentinels watch: they freeze, are cut off, end and are replaced, and learn of it late.
extension Simulation {
    func setUpSentinels(_ primary: Int, _ store: SentinelStore) -> PrimaryPlace {
        func server(_ number: Int, isPrimary: Bool) -> SimulatedServer {
            SimulatedServer(id: primary * 8 + number, primary: primary, isPrimary: isPrimary, seed: scenario.seed)
        }
        let current = server(0, isPrimary: true)
        let followers = (1...store.followerCount).map { server($0, isPrimary: false) }
        for follower in followers { begin(follower, following: current) }
        let stranger = server(7, isPrimary: true)
        stranger.links.spares = store.followerCount
        for server in [current, stranger] { schedule(.cron, of: server, after: 1_000_000) }
        var place = PrimaryPlace(current: current)
        place.sentinels = SimulatedSentinels(
            primary: current, followers: followers, stranger: stranger, count: store.sentinelCount,
            replicas: scenario.replicaCount)
        return place
    }

    private func begin(_ follower: SimulatedServer, following master: SimulatedServer) {
        follower.follow(master)
        follower.links = ReplicationLinks(master: master)
        master.links.heardAt[follower.id] = now
        schedule(.acknowledge, of: follower, after: 100_000)
    }

    // MARK: Followers

    /// Counts the followers that were heard lately, as a server does once a second.
    func countFollowers(of server: SimulatedServer) {
        let heard = server.links.heardAt.values.count { now - $0 <= scenario.guardLag }
        let demanded = scenario.sentinelStore?.demandedFollowers ?? 0
        server.isShortOfReplicas = heard + server.links.spares < demanded
    }

    func acknowledge(_ follower: SimulatedServer) {
        guard follower.isAlive, let master = follower.links.master else { return }
        if master.isAlive, master.links.reaches(follower) {
            if now < master.stalledUntil {
                if master.links.buffersWhileFrozen { master.links.waiting.insert(follower.id) }
            } else {
                master.links.heardAt[follower.id] = now
            }
        }
        schedule(.acknowledge, of: follower, after: 200_000)
    }

    /// Replicates to the servers that follow this one.
    func replicateToFollowers(_ step: ReplicationStep, from server: SimulatedServer) {
        for follower in primaries[server.primary].sentinels?.servers ?? []
        where follower.links.master === server && follower.isAlive && server.links.reaches(follower) {
            let arrival = max(
                server.links.arrivesAt[follower.id] ?? 0, now + scenario.latency + server.replicationLag)
            server.links.arrivesAt[follower.id] = arrival
            queue.add(.replication(follower, step, generation: follower.generation), at: arrival)
        }
    }

    // MARK: Faults

    func applyToSentinelServers(_ action: Scenario.SentinelAction, _ primary: Int) {
        let server = primaries[primary].current
        // One fault at a time, until the Sentinels have put things in order.
        guard server.isAlive, now >= server.stalledUntil, !server.links.isCutOff, primaries[primary].former == nil,
            !primaries[primary].isFailing, server.links.spares == 0
        else { return }
        switch action {
        case .freeze(let lasting):
            coverage.count("primaries frozen")
            server.stalledUntil = now + lasting
            server.links.frozenAt = now
            server.links.buffersWhileFrozen = random.percent(50)
            add(.wakes(server, life: server.life), primary, after: lasting)
        case .sever(let reachableBy, let hasCompanion, let lasting):
            coverage.count("primaries cut off")
            server.links.isCutOff = true
            let followers = primaries[primary].sentinels?.servers.filter { $0.links.master === server } ?? []
            server.links.companions = hasCompanion && followers.count > 1 ? Set(followers.suffix(1).map(\.id)) : []
            hide(server, reachableBy: reachableBy)
            add(.rejoined(server), primary, after: lasting)
        case .fall(let isSilent, let isEmpty, let lasting):
            coverage.count("primaries dead")
            closeConnections(to: server, silently: isSilent)
            server.isAlive = false
            add(.restarted(server, life: server.life, isEmpty: isEmpty), primary, after: lasting)
        case .lie, .hide, .restart: return
        }
        primaries[primary].isFailing = true
        primaries[primary].failures += 1
        add(.isDown(failure: primaries[primary].failures), primary, after: scenario.downAfter)
    }

    private func hide(_ server: SimulatedServer, reachableBy: Int) {
        server.reachableBy = reachableBy
        for replica in replicas where !isReachable(server, by: replica) {
            for connection in replica.connections(to: server.primary) where connection.server === server {
                connection.isDead = true
            }
        }
    }

    // MARK: What follows

    func handleServers(_ event: SentinelEvent, _ primary: Int) {
        switch event {
        case .isDown(let failure): findDown(primary, failure)
        case .promotes(let failure): promoteFollower(primary, failure)
        case .follows(let server): followPrimary(server, primary)
        case .spares(let server): server.links.spares = scenario.sentinelStore?.followerCount ?? 0
        case .wakes(let server, let life):
            if server.life == life, server.isAlive { wake(server, primary) }
        case .left(let server, let life, let follower):
            guard server.life == life else { return }
            server.links.heardAt[follower] = nil
            countFollowers(of: server)
        case .rejoined(let server): rejoin(server, primary)
        case .restarted(let server, let life, let isEmpty):
            if server.life == life, !server.isAlive { beginAnew(server, isEmpty: isEmpty, primary) }
        case .asked, .answered, .hinted, .learns, .honest, .reachable: break
        }
    }

    private func isDown(_ server: SimulatedServer) -> Bool {
        !server.isAlive || now < server.stalledUntil || server.links.isCutOff
    }

    private func findDown(_ primary: Int, _ failure: Int) {
        guard primaries[primary].failures == failure, primaries[primary].isFailing else { return }
        if isDown(primaries[primary].current) {
            add(.promotes(failure: failure), primary, after: random.int(0...500_000))
        } else {
            primaries[primary].isFailing = false
        }
    }

    private func promoteFollower(_ primary: Int, _ failure: Int) {
        let former = primaries[primary].current
        let promoted = primaries[primary].sentinels?.servers.first {
            $0.links.master === former && $0.isAlive && !former.links.companions.contains($0.id)
        }
        guard primaries[primary].failures == failure, let promoted else { return }
        coverage.count("fail-overs")
        noteLoss(primary)
        note("redis \(promoted.id) takes over from \(former.id)")
        promoted.changeHistory()
        promoted.isPrimary = true
        promoted.lastLoss = now
        promoted.links = ReplicationLinks()
        countFollowers(of: promoted)
        schedule(.cron, of: promoted, after: 1_000_000)
        former.links.replacedAt = now
        primaries[primary].former = former
        primaries[primary].current = promoted
        primaries[primary].isFailing = false
        primaries[primary].sentinels?.epoch += 1
        primaries[primary].sentinels?.previous = former
        noteAgreement(primary)
        tellSentinels(primary, within: 3_000_000)
        for server in primaries[primary].sentinels?.servers ?? [] where server.links.master === former {
            add(.follows(server), primary, after: random.int(100_000...5_000_000))
        }
        if scenario.sentinelStore?.hasSpares == true {
            add(.spares(promoted), primary, after: random.int(100_000...2_000_000))
        }
        guard !isDown(former) else { return }
        leave(former, promoted)
        reconfigureLater(former, primary)
    }

    /// Sentinels wait until a primary that is back has said for a time that it is one.
    private func reconfigureLater(_ server: SimulatedServer, _ primary: Int) {
        add(.follows(server), primary, after: random.int(1_500_000...10_500_000))
    }

    /// The server is told to follow the primary. Its connections are ended.
    private func followPrimary(_ server: SimulatedServer, _ primary: Int) {
        let current = primaries[primary].current
        guard server !== current, server.links.master !== current else { return }
        let isBeyondReach = primaries[primary].former.map {
            $0.links.isCutOff && $0.links.companions.contains(server.id)
        }
        guard !isDown(server), !isDown(current), isBeyondReach != true else {
            return add(.follows(server), primary, after: 500_000)
        }
        note("redis \(server.id) follows \(current.id)")
        closeConnections(to: server, silently: false)
        if let master = server.links.master, !isDown(master) { leave(master, server) }
        server.isPrimary = false
        server.reachableBy = nil
        begin(server, following: current)
        server.adopt(current.records, era: current.era, now: now)
        // Touches that another server processed did not extend lifetimes on this one.
        current.lastLoss = now
        if server === primaries[primary].former { primaries[primary].former = nil }
        let isWhole = primaries[primary].sentinels?.servers.allSatisfy { $0 === current || $0.links.master === current }
        if isWhole == true { current.links.spares = 0 }
    }

    private func leave(_ master: SimulatedServer, _ follower: SimulatedServer) {
        add(.left(master, life: master.life, follower: follower.id), master.primary, after: scenario.latency)
    }

    /// A frozen server goes on. It executes what waits in its sockets, with the followers that it counted last. That
    /// some have left waits there too; where a whole machine was frozen it may have been lost.
    private func wake(_ server: SimulatedServer, _ primary: Int) {
        note("redis \(server.id) wakes")
        let isReplaced = server === primaries[primary].former
        coverage.count(isReplaced ? "primaries woken after a fail-over" : "primaries woken")
        server.links.wokeAt = now
        for follower in server.links.waiting { server.links.heardAt[follower] = now }
        server.links.waiting = []
        for follower in primaries[primary].sentinels?.servers ?? []
        where server.links.heardAt[follower.id] != nil && follower.links.master !== server {
            guard server.links.buffersWhileFrozen || random.percent(50) else { continue }
            add(.left(server, life: server.life, follower: follower.id), primary, after: random.int(0...3000))
        }
        if isReplaced { reconfigureLater(server, primary) }
    }

    private func rejoin(_ server: SimulatedServer, _ primary: Int) {
        server.links.isCutOff = false
        server.reachableBy = nil
        if server === primaries[primary].former { reconfigureLater(server, primary) }
    }

    /// Another process begins at the same address. It takes itself for a primary until it is told otherwise.
    private func beginAnew(_ server: SimulatedServer, isEmpty: Bool, _ primary: Int) {
        let isCurrent = server === primaries[primary].current
        if isCurrent { noteLoss(primary) }
        server.isAlive = true
        server.restart(isEmpty: isEmpty, now: now)
        server.links = ReplicationLinks()
        countFollowers(of: server)
        schedule(.cron, of: server, after: 1_000_000)
        guard isCurrent else { return reconfigureLater(server, primary) }
        for follower in primaries[primary].sentinels?.servers ?? [] where follower.links.master === server {
            begin(follower, following: server)
            follower.adopt(server.records, era: server.era, now: now)
        }
        countFollowers(of: server)
    }
}
