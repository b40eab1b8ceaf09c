import Affinity

/// The coherence channel of a replica: what is sent for it, and what the replica does with the messages it hears.
extension Simulation {
    /// Sends the heartbeat and does the other periodic work.
    func beat(_ replica: SimulatedReplica) {
        schedule(.beat, of: replica, after: CoherenceChannel.beatIntervalMilliseconds * 1000)
        let instant = replica.instant(now)
        checkSilence(of: replica)
        for primary in replica.hearings.indices {
            let subscriber = replica.hearings[primary].subscriber
            if let subscriber, replica.view.isUndecided(subscriber, now: instant) {
                replica.hearings[primary].channel.withheldBeat(now: instant)
            }
            if let subscriber, subscriber.isOpen,
                replica.hearings[primary].channel.isSilent(instant)
            {
                coverage.count("silent subscriptions")
                abandon(subscriber, "no echo for two leases")
            }
            guard let data = replica.loops[0].data[primary], data.isOpen, data.isServing, let identity = data.identity,
                replica.view.trusts(data)
            else { continue }
            guard data.pending.count(where: \.isBeat) < 8 else { continue }
            let sequence = replica.hearings[primary].channel.beat(now: instant)
            let token = enqueue(.beat, over: data)
            send(.beat(sequence, from: identity.runID, token: token), over: data)
        }
    }

    func echoed(
        _ sequence: UInt64, _ runID: ServerIdentity.RunID, _ era: UInt64, at: Moment,
        over connection: SimulatedConnection
    ) {
        let replica = connection.replica
        let primary = connection.primary
        // A server that must settle may send back what waited in its sockets.
        guard replica.view.trusts(connection) else { return }
        let own = replica.hearings[primary].channel.subscribed?.runID
        let received = has(.sameServer) ? runID : own ?? runID
        let echo = replica.hearings[primary].channel.echoed(
            sequence, from: received, era: has(.era) ? String(era) : "", now: replica.instant(now))
        switch echo {
        case .ignored: return coverage.count("echoes ignored")
        case .proven: break
        case .provenAnew:
            coverage.count("eras")
            note("replica \(replica.index): another era")
        }
        replica.hearings[primary].echoedAt = at
        if echo == .provenAnew || replica.hearings[primary].liveSince == .max {
            replica.hearings[primary].liveSince = now
        }
        publishStatus(primary, of: replica)
    }

    /// Publishes what the channel guarantees; more than that if a rule is off.
    func publishStatus(_ primary: Int, of replica: SimulatedReplica) {
        let channel = replica.hearings[primary].channel
        var status = channel.status
        if channel.state == .live {
            if !has(.lease) { status.liveUntil = .distantFuture }
            if !has(.leaseFromSending) {
                status.liveUntil = replica.instant(now).advanced(byMilliseconds: scenario.settings.leaseMilliseconds)
            }
        }
        if !has(.generation), status.generationBegan != .distantFuture {
            let oldest = replica.hearings[primary].oldest ?? status.generationBegan
            replica.hearings[primary].oldest = oldest
            status.generationBegan = oldest
        }
        tellStandby(status, primary, of: replica)
        if !has(.replay) { status.lineage = 0 }
        replica.coherence.publish(status, primary: primary)
    }

    func received(_ binding: Binding, of session: Fingerprint, over connection: SimulatedConnection) {
        let replica = connection.replica
        guard has(.messageOrder) else {
            return schedule(.hearLate(session, binding), of: replica, after: 150_000)
        }
        receive(binding, of: session, at: replica)
    }

    func receive(_ binding: Binding, of session: Fingerprint, at replica: SimulatedReplica) {
        coverage.count("messages heard")
        note("replica \(replica.index): hears \(name(session)) \(name(binding))")
        let instant = replica.instant(now)
        guard !has(.floors) else { return replica.cache.receive(binding, of: session, now: instant) }
        guard var entry = replica.cache.peek(session, now: instant), binding.epoch >= entry.binding.epoch else {
            return
        }
        (entry.binding, entry.kind, entry.confirmedAt, entry.isSuspect) = (binding, .confirmed, instant, false)
        replica.cache.store(entry, for: session, now: instant)
    }

    // MARK: Timers

    func fire(_ timer: ReplicaTimer, at replica: SimulatedReplica) {
        switch timer {
        case .beat: beat(replica)
        case .fleetTick:
            schedule(.fleetTick, of: replica, after: 50_000)
            fleetTick(replica)
        case .fleetTickSoon:
            replica.isFleetTickComing = false
            fleetTick(replica)
        case .offers(let loop): offer(loop, at: replica)
        case .connect(let kind, let primary): connect(kind, primary, at: replica)
        case .connectTimeout(let connection):
            if !connection.isServing {
                greetingIsOverdue(connection)
                abandon(connection, "not connected in time, or to another server")
            }
        case .deadline(let connection, let token): deadline(token, over: connection)
        case .patience(let connection, let token):
            guard connection.pending.contains(where: { $0.token == token }) else { break }
            gaveUp(connection)
            abandon(connection, "no answer")
        case .silence(let connection): silenceIsDue(connection)
        case .sentinelTick(let primary): sentinelTick(primary, at: replica)
        case .breakerProbe(let connection): probe(over: connection)
        case .deliver(let purpose, let operation, let result, let stamp, let origin):
            deliver(result, to: purpose, operation, stamp, origin, at: replica)
        case .arrive(let client, let loop, let forged): begin(client, loop, forged: forged, at: replica)
        case .backendFailed(let request): backendFailed(request)
        case .backendAnswered(let request): backendAnswered(request)
        case .probeBackend(let index): probeBackend(index, at: replica)
        case .backendProbed(let index, let isReachable):
            backendProbed(index, isReachable: isReachable, at: replica)
        case .checkBackend(let index): checkBackend(index, at: replica)
        case .backendChecked(let index, let isGood): backendChecked(index, isGood: isGood, at: replica)
        case .hearLate(let session, let binding): receive(binding, of: session, at: replica)
        case .standbyTick(let primary): standbyTick(primary, at: replica)
        case .scanFailed(let primary): scanFailed(primary, at: replica)
        case .announced(let primary, let isPublished): announced(isPublished: isPublished, primary, at: replica)
        }
    }
}

extension SimulatedConnection.Pending {
    var isBeat: Bool {
        if case .beat = purpose { true } else { false }
    }
}
