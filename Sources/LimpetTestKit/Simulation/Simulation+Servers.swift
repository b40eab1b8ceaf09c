import Affinity

/// The store: commands, replication, failover.
extension Simulation {
    func schedule(_ timer: ServerTimer, of server: SimulatedServer, after delay: Moment) {
        queue.add(.serverTimer(server, timer, generation: server.generation), at: now + delay)
    }

    // MARK: Commands

    func arrive(_ command: StoreCommand, over connection: SimulatedConnection, _ entry: EventQueue.Entry) {
        let server = connection.server
        guard !connection.isDead, isReachable(server, by: connection.replica) else { return }
        guard server.isAlive else { return }
        if now < server.stalledUntil { return queue.postpone(entry, to: server.stalledUntil) }
        guard connection.isOpenAtServer, connection.serverLife == server.life else {
            return send(.closed, over: connection)
        }
        switch command {
        case .hello: send(.hello(server.identity, isPrimary: server.isPrimary), over: connection)
        case .subscribe:
            server.subscribers.append(connection)
            send(.subscribed, over: connection)
        case .send(let operation, let token), .drop(let operation, let token):
            let (result, origin) = execute(operation, on: server, by: connection.replica)
            send(.result(token: token, result, origin), over: connection)
        case .beat(let sequence, let runID, let token):
            let refused = beat(sequence, from: runID, of: connection.replica, connection.life, on: server)
            send(.done(token: token, refused: refused), over: connection)
        case .writingProbe(let token): send(.done(token: token, refused: refusal(of: server)), over: connection)
        case .probe(let token): send(.done(token: token, refused: nil), over: connection)
        case .publishFleet(let payload): publish(.fleet(payload), on: server)
        case .scan(let cursor, let token):
            let (sessions, next) = page(from: cursor, on: server)
            send(.page(sessions, next: next, token: token), over: connection)
        case .announce(let sessions, let hasLeftOut, let instance, let written, let token):
            announce(sessions, hasLeftOut: hasLeftOut, instance: instance, written: written, on: server)
            send(.done(token: token, refused: nil), over: connection)
        }
    }

    func isReachable(_ server: SimulatedServer, by replica: SimulatedReplica) -> Bool {
        if server.hiddenFrom.contains(replica.index) { return false }
        return server.reachableBy.map { $0 & 1 << replica.index != 0 } ?? true
    }

    private func refusal(of server: SimulatedServer) -> WriteRefusal? {
        if !server.isPrimary { return .readOnly }
        if scenario.isGuarded || scenario.sentinelStore != nil, has(.guardedFailOver), server.isShortOfReplicas {
            return .noReplicas
        }
        return now < server.memoryFullUntil ? .outOfMemory : nil
    }

    private func beat(
        _ sequence: UInt64, from runID: ServerIdentity.RunID, of replica: SimulatedReplica, _ life: Int,
        on server: SimulatedServer
    ) -> WriteRefusal? {
        if has(.writeHeartbeat), let refusal = refusal(of: server) { return refusal }
        let era = server.era ?? server.name()
        if server.era == nil {
            server.era = era
            replicateLater(.era(era), from: server)
        }
        publish(.echo(sequence, from: runID, era: era, replica: replica.index, life: life), on: server)
        return nil
    }

    /// Delivers a message to the subscribers of this server and of its replica.
    func publish(_ step: ReplicationStep, on server: SimulatedServer) {
        for connection in server.subscribers where connection.isOpenAtServer {
            switch step {
            case .received(let session, let binding): send(.received(session, binding), over: connection)
            case .echo(let sequence, let runID, let era, let replica, let life):
                guard connection.replica.index == replica, connection.life == life else { continue }
                send(.echo(sequence, from: runID, era: era, at: now), over: connection)
            case .fleet(let payload): send(.fleet(payload), over: connection)
            case .announced(let announcement):
                if connection.replica.release == .present { send(.announced(announcement), over: connection) }
            case .put, .expire, .era, .flush: break
            }
        }
        if case .announced(let announcement) = step { server.note(announcement, at: now) }
        if server.isPrimary { replicateLater(step, from: server) }
    }

    // MARK: Operations

    /// - Parameter replica: who asks; nil: nobody in particular.
    func execute(
        _ operation: StoreOperation, on server: SimulatedServer, by replica: SimulatedReplica? = nil
    ) -> (StoreResult, AnswerOrigin) {
        // Reads are never refused.
        let refused = operation.isRead ? nil : refusal(of: server)
        let origin = AnswerOrigin(
            server: server, at: now, refused: refused,
            isAuthoritative: primaries[server.primary].current === server)
        let result = refused == nil ? written(operation, on: server) : refusedAnswer(operation, on: server)
        if result == .written { server.writers[operation.fingerprint] = replica }
        if refused != nil { server.lastRefusal = now }
        note("redis \(server.id): \(describe(operation)) → \(describe(result))")
        return (result, origin)
    }

    private func refusedAnswer(_ operation: StoreOperation, on server: SimulatedServer) -> StoreResult {
        coverage.count("refused writes")
        guard let record = server.living(operation.fingerprint, now: now), let binding = record.binding else {
            return .unavailable(.refused)
        }
        return .readOnly(
            binding, remainingMilliseconds: record.remainingMilliseconds(for: operation, now: now),
            createdAtSeconds: record.createdAtSeconds)
    }

    private func written(_ operation: StoreOperation, on server: SimulatedServer) -> StoreResult {
        let session = operation.fingerprint
        if case .drop = operation {
            coverage.count("drops")
            if !has(.tombstone) { return forget(session, on: server) }
        }
        let model = RecordModel(restores: has(.restore), compares: has(.compareAndSet))
        let (result, effect) = model.result(operation, record: server.living(session, now: now), now: now)
        switch effect {
        case .nothing: break
        case .extend(let expires):
            server.records[session]?.expires = expires
            replicateLater(.expire(session, expires), from: server)
        case .write(let record, let isPublished): put(record, session, isPublished: isPublished, on: server)
        }
        return result
    }

    private func forget(_ session: Fingerprint, on server: SimulatedServer) -> StoreResult {
        server.put(session, nil, isPublished: false, end: .superseded, now: now)
        replicateLater(.put(session, nil, .superseded), from: server)
        return .unavailable(.refused)
    }

    private func put(
        _ record: ModelRecord, _ session: Fingerprint, isPublished: Bool, on server: SimulatedServer
    ) {
        let before = server.put(session, record, isPublished: isPublished, end: .superseded, now: now)
        if let before, let binding = record.binding, binding.epoch <= before.epoch, binding != before {
            fail("I3", "\(name(session)): the record fell to \(name(binding)) from \(name(before))")
        }
        if let binding = record.binding { made[session, default: []].insert(binding) }
        replicateLater(.put(session, record, .superseded), from: server)
        if isPublished, has(.broadcast), let binding = record.binding {
            publish(.received(session, binding), on: server)
        }
    }

    // MARK: Replication

    func replicateLater(_ step: ReplicationStep, from server: SimulatedServer) {
        let place = primaries[server.primary]
        if place.sentinels != nil { return replicateToFollowers(step, from: server) }
        guard server === place.current, let standby = place.standby, standby.isAlive, server.reachableBy == nil else {
            return
        }
        server.lastReplication = max(server.lastReplication, now + scenario.latency + server.replicationLag)
        queue.add(.replication(standby, step, generation: standby.generation), at: server.lastReplication)
    }

    func replicate(_ step: ReplicationStep, to server: SimulatedServer) {
        switch step {
        case .put(let session, let record, let end):
            server.put(session, record, isPublished: true, end: end, now: now)
        case .expire(let session, let expires): server.records[session]?.expires = expires
        case .era(let era): server.era = era
        case .flush: server.adopt([:], era: nil, now: now)
        case .received, .echo, .fleet, .announced: publish(step, on: server)
        }
    }

    func fire(_ timer: ServerTimer, at server: SimulatedServer, _ generation: Int) {
        guard server.generation == generation else { return }
        let place = primaries[server.primary]
        switch timer {
        case .cron:
            guard server.isAlive, server.isPrimary else { return }
            if now >= server.stalledUntil, place.sentinels != nil {
                countFollowers(of: server)
                server.save()
            } else if now >= server.stalledUntil {
                server.isShortOfReplicas =
                    !server.hasOtherReplicas && now - server.lastAcknowledged > scenario.guardLag
                server.save()
            }
            schedule(.cron, of: server, after: 1_000_000)
        case .acknowledge where place.sentinels != nil: acknowledge(server)
        case .acknowledge:
            guard server.isAlive, !server.isPrimary, place.standby === server else { return }
            let primary = place.current
            if primary.isAlive, primary.reachableBy == nil { primary.lastAcknowledged = now + scenario.latency }
            schedule(.acknowledge, of: server, after: 200_000)
        case .restarted: revive(server)
        case .back(let isEmpty): revive(server, isEmpty: isEmpty)
        case .reachable: server.hiddenFrom = []
        }
    }

    /// Promotes the standby. Writes that it has not received are lost.
    func promote(_ primary: Int, _ failure: Int) {
        guard primaries[primary].isFailing, primaries[primary].failures == failure,
            let standby = primaries[primary].standby
        else { return }
        let former = primaries[primary].current
        coverage.count("fail-overs")
        noteLoss(primary)
        note("redis \(standby.id) takes over from \(former.id)")
        standby.changeHistory()
        standby.isPrimary = true
        standby.hasOtherReplicas = true
        standby.lastLoss = now
        standby.isShortOfReplicas = false
        schedule(.cron, of: standby, after: 1_000_000)
        primaries[primary].former = former
        primaries[primary].current = standby
        primaries[primary].standby = nil
        primaries[primary].isFailing = false
    }
}
