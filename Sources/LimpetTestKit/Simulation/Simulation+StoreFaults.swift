import Affinity

/// The faults of the store.
extension Simulation {
    func applyToStore(_ action: Scenario.Action) {
        switch action {
        case .sentinel(let primary, let action):
            applyToSentinels(action, primary)
            applyToSentinelServers(action, primary)
        case .stall(let primary, let lasting):
            // A frozen primary that is replaced in the meantime would respond for a moment when it wakes, which no
            // guard of the store prevents.
            guard !primaries[primary].isFailing, primaries[primary].former == nil else { return }
            coverage.count("stalls")
            primaries[primary].current.stalledUntil = max(primaries[primary].current.stalledUntil, now + lasting)
        case .crash(let primary, let isSilent): crash(primary, isSilent: isSilent)
        case .partition(let primary, let reachableBy): cutOff(primary, reachableBy: reachableBy)
        case .heal(let primary): heal(primary)
        case .replicationLag(let primary, let by): primaries[primary].current.replicationLag = by
        case .restart(let primary, let isEmpty): restart(primary, isEmpty: isEmpty)
        case .flush(let primary): flush(primary)
        case .evictEra(let primary):
            primaries[primary].current.era = nil
            replicateLater(.era(nil), from: primaries[primary].current)
        case .outage(let primary, let lasting, let isEmpty): beginOutage(primary, lasting, isEmpty: isEmpty)
        case .hide(let primary, let from, let lasting): hide(primary, from: from, lasting)
        case .memoryFull(let primary, let lasting):
            coverage.count("memory full")
            primaries[primary].current.memoryFullUntil = now + lasting
        default: break
        }
    }

    private func flush(_ primary: Int) {
        let server = primaries[primary].current
        guard server.isAlive else { return }
        coverage.count("flushes")
        noteLoss(primary)
        server.adopt([:], era: nil, now: now)
        replicateLater(.flush, from: server)
    }

    /// Replaces the server's process with a new one at the same address.
    private func restart(_ primary: Int, isEmpty: Bool) {
        let server = primaries[primary].current
        guard server.isAlive, !primaries[primary].isFailing, primaries[primary].former == nil else { return }
        coverage.count(isEmpty ? "restarts, empty" : "restarts")
        noteLoss(primary)
        closeConnections(to: server, silently: false)
        server.restart(isEmpty: isEmpty, now: now)
        schedule(.cron, of: server, after: 1_000_000)
        resynchronize(primary)
    }

    /// Copies the primary's data to the standby.
    private func resynchronize(_ primary: Int) {
        guard let standby = primaries[primary].standby, standby.isAlive else { return }
        let current = primaries[primary].current
        standby.follow(current)
        standby.adopt(current.records, era: current.era, now: now)
        current.lastAcknowledged = now
        // Touches that another server processed did not extend lifetimes on this one.
        current.lastLoss = now
        current.lastReplication = max(current.lastReplication, now)
        schedule(.acknowledge, of: standby, after: 100_000)
    }

    func closeConnections(to server: SimulatedServer, silently: Bool) {
        for replica in replicas {
            let connections = replica.hearings.map(\.subscriber) + replica.loops.flatMap(\.data)
            for connection in connections.compactMap({ $0 }) where connection.server === server && connection.isOpen {
                connection.isOpenAtServer = false
                if silently { connection.isDead = true } else { send(.closed, over: connection) }
            }
        }
        server.subscribers = []
    }

    private func crash(_ primary: Int, isSilent: Bool) {
        let server = primaries[primary].current
        guard server.isAlive, primaries[primary].former == nil, !primaries[primary].isFailing else { return }
        coverage.count("primaries dead")
        closeConnections(to: server, silently: isSilent)
        server.isAlive = false
        fail(over: primary)
    }

    private func cutOff(_ primary: Int, reachableBy: Int) {
        let server = primaries[primary].current
        guard server.isAlive, primaries[primary].former == nil, !primaries[primary].isFailing,
            primaries[primary].standby != nil, now >= server.stalledUntil
        else { return }
        coverage.count("primaries cut off")
        server.reachableBy = reachableBy
        primaries[primary].misled = reachableBy
        for replica in replicas where !isReachable(server, by: replica) {
            let connections = replica.hearings.map(\.subscriber) + replica.loops.flatMap(\.data)
            for connection in connections.compactMap({ $0 }) where connection.server === server {
                connection.isDead = true
            }
        }
        // Some replicas that reach the old primary already know the new one.
        primaries[primary].misled &= Int(random.next() & 0xFF) | Int(random.next() & 0xFF)
        fail(over: primary)
    }

    private func fail(over primary: Int) {
        primaries[primary].isFailing = true
        primaries[primary].failures += 1
        if primaries[primary].standby != nil {
            let failure = primaries[primary].failures
            queue.add(.promotion(primary: primary, failure: failure), at: now + scenario.downAfter)
        }
    }

    /// Ends the faults of a primary: a replaced primary follows its successor.
    func heal(_ primary: Int) {
        let place = primaries[primary]
        if let former = place.former {
            closeConnections(to: former, silently: false)
            former.reachableBy = nil
            if !former.isAlive { former.restart(isEmpty: true, now: now) }
            former.isAlive = true
            former.isPrimary = false
            former.hasOtherReplicas = false
            former.stalledUntil = 0
            primaries[primary].standby = former
            primaries[primary].former = nil
            primaries[primary].misled = 0
            place.current.hasOtherReplicas = false
            resynchronize(primary)
        } else if place.isFailing {
            primaries[primary].isFailing = false
            primaries[primary].misled = 0
            place.current.reachableBy = nil
            if !place.current.isAlive { schedule(.restarted, of: place.current, after: 50_000) }
            if place.current.isAlive { resynchronize(primary) }
        }
        if primaries[primary].former == nil, !place.isFailing, !place.current.isAlive { revive(place.current) }
        primaries[primary].current.hiddenFrom = []
    }

    /// The server's process ends, and another begins after a time. Nothing takes over.
    private func beginOutage(_ primary: Int, _ lasting: Moment, isEmpty: Bool) {
        let server = primaries[primary].current
        guard server.isAlive, primaries[primary].former == nil, !primaries[primary].isFailing else { return }
        coverage.count("outages")
        closeConnections(to: server, silently: random.percent(30))
        server.isAlive = false
        schedule(.back(isEmpty: isEmpty), of: server, after: lasting)
    }

    /// Some replicas cannot reach the server for a time, and do not notice.
    private func hide(_ primary: Int, from replicas: Set<Int>, _ lasting: Moment) {
        let server = primaries[primary].current
        guard server.isAlive, server.hiddenFrom.isEmpty, primaries[primary].former == nil,
            !primaries[primary].isFailing
        else { return }
        coverage.count("servers out of reach")
        server.hiddenFrom = replicas
        for replica in self.replicas where replicas.contains(replica.index) {
            let connections = replica.hearings.map(\.subscriber) + replica.loops.flatMap(\.data)
            for connection in connections.compactMap({ $0 }) where connection.server === server {
                connection.isDead = true
            }
        }
        schedule(.reachable, of: server, after: lasting)
    }

    func revive(_ server: SimulatedServer, isEmpty: Bool = false) {
        guard !server.isAlive, primaries[server.primary].current === server else { return }
        noteLoss(server.primary)
        server.isAlive = true
        server.hiddenFrom = []
        server.restart(isEmpty: isEmpty, now: now)
        schedule(.cron, of: server, after: 1_000_000)
        resynchronize(server.primary)
    }
}
