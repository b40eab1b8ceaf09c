import Affinity

/// Applies the choices of the scenario.
extension Simulation {
    func apply(_ choice: Scenario.Choice) {
        random = SeededRandom(seed: choice.salt)
        standbyRandom = SeededRandom(seed: choice.salt ^ 0x57a4_db9)
        note("-- \(choice.action)")
        switch choice.action {
        case .request(let client, let replica, let loop):
            schedule(.arrive(client: client, loop: loop, forged: false), of: replicas[replica], after: 0)
        case .burst(let client):
            for replica in replicas {
                for loop in replica.loops.indices {
                    let delay = random.int(0...300)
                    schedule(.arrive(client: client, loop: loop, forged: false), of: replica, after: delay)
                }
            }
        case .forgery(let client, let replica):
            coverage.count("forgeries")
            schedule(.arrive(client: client, loop: 0, forged: true), of: replicas[replica], after: 0)
        case .forget(let client): clients[client].forget(nextSession())
        case .loseCookie(let client): loseCookie(client)
        case .drop(let client, let replica): drop(client, at: replicas[replica])
        case .cut, .halfOpen, .delay: applyToNetwork(choice.action)
        case .pause(let replica, let lasting): pause(replicas[replica], lasting)
        case .restartReplica(let replica, let membership):
            coverage.count("replicas restarted")
            start(replica: replica, life: replicas[replica].life + 1, membership: membership)
        case .leaveOut(let replica):
            for primary in primaries.indices { replicas[replica].hearings[primary].standby?.leavesOut = true }
        case .sentinel, .stall, .crash, .partition, .heal, .replicationLag, .restart, .flush, .evictEra, .memoryFull,
            .outage,
            .hide:
            applyToStore(choice.action)
        case .evict(let client): lose(clients[client].session, nil)
        case .foreign(let client):
            let expires = now + scenario.settings.recordLifetimeMilliseconds * 1000
            lose(clients[client].session, ModelRecord(value: .foreign, expires: expires))
        case .breakBackend, .mendBackend, .cutBackend, .reachBackend, .sickenBackend: applyToBackends(choice.action)
        }
    }

    func start(replica index: Int, life: Int, membership: Int) {
        let places = scenario.memberships[membership].map { backend in world.firstIndex(of: backend.name) ?? 0 }
        let replica = SimulatedReplica(
            index: index, life: life, membershipIndex: membership, membership: memberships[membership],
            places: places, scenario: scenario, key: key, judgesAlone: !has(.consent), settings: decisionSettings,
            instance: names.next(),
            release: scenario.release(of: index, life: life), now: now)
        if index < replicas.count {
            closeAll(of: replicas[index])
            lastRestart = now
            requests = requests.filter { $0.value.replica !== replicas[index] }
            replicas[index] = replica
        } else {
            replicas.append(replica)
        }
        disturb(replica)
        beginToAsk(replica)
        for primary in primaries.indices {
            schedule(.connect(.subscriber, primary: primary), of: replica, after: random.int(1000...60_000))
            for loop in replica.loops.indices {
                schedule(.connect(.data(loop: loop), primary: primary), of: replica, after: random.int(1000...60_000))
            }
        }
        schedule(.beat, of: replica, after: random.int(0...100_000))
        schedule(.fleetTick, of: replica, after: random.int(0...50_000))
        for primary in primaries.indices where replica.hearings[primary].standby != nil {
            schedule(.standbyTick(primary: primary), of: replica, after: standbyRandom.int(0...50_000))
        }
        for loop in replica.loops.indices { schedule(.offers(loop: loop), of: replica, after: random.int(0...25_000)) }
        beginChecks(at: replica)
    }

    private func closeAll(of replica: SimulatedReplica) {
        let connections = replica.hearings.map(\.subscriber) + replica.loops.flatMap(\.data)
        for connection in connections.compactMap({ $0 }) {
            connection.isOpen = false
            connection.server.subscribers.removeAll { $0 === connection }
        }
        replica.life = -1
    }

    private func drop(_ client: Int, at replica: SimulatedReplica) {
        let session = clients[client].session
        let entry = replica.cache.peek(session, now: replica.instant(now))
        let known = max(entry?.binding.epoch ?? 0, clients[client].hint?.binding.epoch ?? 0)
        let operation = StoreOperation.drop(
            session, above: known, lifetimeMilliseconds: scenario.settings.recordLifetimeMilliseconds)
        send(operation, for: .drop, loop: 0, at: replica)
    }

    private func pause(_ replica: SimulatedReplica, _ lasting: Moment) {
        coverage.count("pauses")
        disturb(replica)
        guard now + lasting > replica.pausedUntil + 1000 else { return }
        replica.pausedUntil = now + lasting
        let connections = replica.hearings.map(\.subscriber) + replica.loops.flatMap(\.data)
        for connection in connections.compactMap({ $0 }) {
            connection.heldUntil = replica.pausedUntil + random.int(0...4) * 10
        }
    }

    private func lose(_ session: Fingerprint, _ record: ModelRecord?) {
        let server = primaries[primary(of: session)].current
        guard server.isAlive, server.living(session, now: now)?.binding != nil else { return }
        coverage.count(record == nil ? "evictions" : "foreign values")
        silentlyLost[session] = now
        server.put(session, record, isPublished: false, end: .silent, now: now)
        replicateLater(.put(session, record, .silent), from: server)
    }

    // MARK: The network

    private func applyToNetwork(_ action: Scenario.Action) {
        switch action {
        case .cut(let wire):
            guard let connection = connection(wire) else { return }
            coverage.count("connections cut")
            connection.isOpenAtServer = false
            connection.server.subscribers.removeAll { $0 === connection }
            send(.closed, over: connection)
        case .halfOpen(let wire):
            guard let connection = connection(wire) else { return }
            coverage.count("connections half-open")
            connection.isDead = true
        case .delay(let wire, let by, let lasting):
            guard let connection = connection(wire) else { return }
            coverage.count("connections delayed")
            (connection.delay, connection.delayedUntil) = (by, now + lasting)
        default: break
        }
    }

    private func connection(_ wire: Scenario.Wire) -> SimulatedConnection? {
        guard let connection = connection(wire.kind, wire.primary, of: replicas[wire.replica]), connection.isOpen
        else { return nil }
        return connection
    }

    // MARK: Backends

    private func applyToBackends(_ action: Scenario.Action) {
        func place(_ index: Int) -> Int { world.firstIndex(of: scenario.memberships[0][index].name) ?? 0 }
        switch action {
        case .breakBackend(let index):
            coverage.count("backends broken")
            brokenBackends.insert(place(index))
            for replica in replicas { reachSince[replica.index][place(index)] = now }
        case .mendBackend(let index):
            brokenBackends.remove(place(index))
            for replica in replicas { sickBackends[replica.index].remove(place(index)) }
            for replica in replicas { reachSince[replica.index][place(index)] = now }
        case .cutBackend(let index, let replica):
            coverage.count("backends out of one replica's reach")
            cutBackends[replica].insert(place(index))
            reachSince[replica][place(index)] = now
        case .reachBackend(let index, let replica):
            cutBackends[replica].remove(place(index))
            sickBackends[replica].remove(place(index))
            reachSince[replica][place(index)] = now
        case .sickenBackend(let index, let only):
            coverage.count(only == nil ? "health checks failed" : "health checks failed at one replica alone")
            for replica in replicas where only.map({ $0 == replica.index }) ?? true {
                sickBackends[replica.index].insert(place(index))
                reachSince[replica.index][place(index)] = now
                beginChecks(at: replica)
            }
        default: break
        }
    }
}
