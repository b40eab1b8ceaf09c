import Affinity
import Store

/// The network, and how a replica maintains its connections.
extension Simulation {
    /// What concerns standby has randomness of its own, so that it does not change what happens to the rest.
    private func flight(_ connection: SimulatedConnection, isStandby: Bool) -> Moment {
        let spike = now < connection.delayedUntil ? connection.delay : 0
        let jitter = isStandby ? standbyRandom.int(0...200) : random.int(0...200)
        return scenario.latency + spike + jitter
    }

    func send(_ command: StoreCommand, over connection: SimulatedConnection) {
        guard !connection.isDead else { return }
        connection.lastUp = max(connection.lastUp, now + flight(connection, isStandby: command.isStandby))
        queue.add(.atServer(connection, command), at: connection.lastUp)
    }

    func send(_ reply: StoreReply, over connection: SimulatedConnection) {
        guard !connection.isDead, connection.isOpen else { return }
        connection.lastDown = max(connection.lastDown, now + flight(connection, isStandby: reply.isStandby))
        queue.add(.atReplica(connection, reply), at: connection.lastDown)
    }

    // MARK: Connecting

    /// The server that a replica takes for the primary.
    /// Nil while it knows none.
    private func address(_ primary: Int, for replica: SimulatedReplica) -> SimulatedServer? {
        if hasTrust { return replica.view.guides[primary].server }
        let place = primaries[primary]
        if let former = place.former, place.misled & 1 << replica.index != 0 { return former }
        return place.current
    }

    func connect(_ kind: SimulatedConnection.Kind, _ primary: Int, at replica: SimulatedReplica) {
        guard connection(kind, primary, of: replica)?.isOpen != true else { return }
        // What had to be connected without an address is connected when there is one.
        guard let server = address(primary, for: replica) else { return }
        if hasTrust, replica.failedAttempts > 0 { hinted(isCertain: false, primary, at: replica) }
        let breaker = self.connection(kind, primary, of: replica)?.breaker ?? StoreBreaker()
        let connection = SimulatedConnection(
            id: nextSerial(), kind: kind, primary: primary, replica: replica, server: server, openedAt: now,
            breaker: breaker)
        connection.heldUntil = replica.pausedUntil
        switch kind {
        case .subscriber: replica.hearings[primary].subscriber = connection
        case .data(let loop): replica.loops[loop].data[primary] = connection
        }
        send(.hello, over: connection)
        schedule(.connectTimeout(connection), of: replica, after: Self.connectTimeout)
    }

    func connection(
        _ kind: SimulatedConnection.Kind, _ primary: Int, of replica: SimulatedReplica
    ) -> SimulatedConnection? {
        switch kind {
        case .subscriber: replica.hearings[primary].subscriber
        case .data(let loop): replica.loops[loop].data[primary]
        }
    }

    func schedule(_ timer: ReplicaTimer, of replica: SimulatedReplica, after delay: Moment) {
        queue.add(.timer(replica, life: replica.life, timer), at: now + delay)
    }

    /// Gives up a connection, and opens another one soon.
    func abandon(_ connection: SimulatedConnection, _ reason: String) {
        guard connection.isCurrent else { return }
        let replica = connection.replica
        note("replica \(replica.index): gives up \(describe(connection)): \(reason)")
        close(connection)
        switch connection.kind {
        case .subscriber:
            replica.hearings[connection.primary].channel.lost()
            publishStatus(connection.primary, of: replica)
        case .data:
            connection.breaker.disconnected()
            let lost = connection.pending
            connection.pending = []
            for pending in lost { tellLost(pending, over: connection) }
        }
        replica.failedAttempts += 1
        let ceiling: Moment = min(2_000_000, 100_000 << min(replica.failedAttempts, 5))
        schedule(
            .connect(connection.kind, primary: connection.primary), of: replica, after: random.int(1000...ceiling))
    }

    /// Closes the connection at both ends; bytes in flight to the server still arrive.
    private func close(_ connection: SimulatedConnection) {
        connection.isOpen = false
        connection.isServing = false
        connection.server.subscribers.removeAll { $0 === connection }
    }

    private func tellLost(_ pending: SimulatedConnection.Pending, over connection: SimulatedConnection) {
        switch pending.purpose {
        case .scan: return schedule(.scanFailed(primary: connection.primary), of: connection.replica, after: 0)
        case .announce:
            return schedule(
                .announced(primary: connection.primary, isPublished: false), of: connection.replica, after: 0)
        case .operation, .beat, .probe, .writingProbe: break
        }
        guard case .operation(let purpose, let operation) = pending.purpose, !pending.isLate else { return }
        schedule(
            .deliver(purpose, operation, .unavailable(.lost), pending.stamp, nil), of: connection.replica, after: 0)
    }

    // MARK: Replies

    func arrive(_ reply: StoreReply, over connection: SimulatedConnection, _ entry: EventQueue.Entry) {
        guard connection.isCurrent, !connection.isDead else { return }
        if now < connection.heldUntil { return queue.postpone(entry, to: connection.heldUntil) }
        let replica = connection.replica
        if case .closed = reply {} else { heard(over: connection) }
        switch reply {
        case .hello(let identity, let isPrimary):
            guard isPrimary else { return abandon(connection, "it is not a primary") }
            connection.identity = identity
            if case .subscriber = connection.kind { return send(.subscribe, over: connection) }
            connection.isServing = true
            greeted(connection)
            replica.failedAttempts = 0
            _ = connection.breaker.connected(probeAt: replica.instant(now))
            probe(over: connection)
        case .subscribed: subscribed(connection)
        case .result(let token, let result, let origin): answered(token, result, origin, over: connection)
        case .done(let token, let refused): done(token, refused, over: connection)
        case .received(let session, let binding): received(binding, of: session, over: connection)
        case .echo(let sequence, let runID, let era, let at): echoed(sequence, runID, era, at: at, over: connection)
        case .fleet(let payload): fleetHeard(payload, at: replica)
        case .page(let sessions, let next, let token):
            guard take(token, over: connection) != nil else { return }
            scanned(sessions, next: next, connection.primary, at: replica)
        case .announced(let announcement): heard(announcement, over: connection)
        case .closed: abandon(connection, "closed by the server")
        }
    }

    private func subscribed(_ connection: SimulatedConnection) {
        guard let identity = connection.identity else { return }
        let replica = connection.replica
        connection.isServing = true
        greeted(connection)
        replica.failedAttempts = 0
        replica.hearings[connection.primary].server = connection.server
        replica.hearings[connection.primary].liveSince = .max
        replica.hearings[connection.primary].channel.subscribed(to: identity, now: replica.instant(now))
        note("replica \(replica.index): subscribed at redis \(connection.server.id)")
        publishStatus(connection.primary, of: replica)
        if connection.primary == 0 { perform(replica.fleet.subscribed(now: replica.instant(now)), at: replica) }
    }

    private func take(_ token: Int, over connection: SimulatedConnection) -> SimulatedConnection.Pending? {
        guard let first = connection.pending.first else { return nil }
        guard first.token == token else {
            fail("FIFO", "\(describe(connection)): an answer out of order")
            return nil
        }
        return connection.pending.removeFirst()
    }

    private func answered(
        _ token: Int, _ result: StoreResult, _ origin: AnswerOrigin, over connection: SimulatedConnection
    ) {
        guard let pending = take(token, over: connection),
            case .operation(let purpose, let operation) = pending.purpose
        else { return }
        if !pending.isLate {
            connection.breaker.answered(isBackground: purpose.isBackground, now: connection.replica.instant(now))
            deliver(result, to: purpose, operation, pending.stamp, origin, at: connection.replica)
        }
        if origin.refused == .readOnly { abandon(connection, "it takes no writes any more") }
    }

    private func done(_ token: Int, _ refused: WriteRefusal?, over connection: SimulatedConnection) {
        guard let pending = take(token, over: connection) else { return }
        switch pending.purpose {
        case .operation, .scan: break
        case .announce: announced(isPublished: true, connection.primary, at: connection.replica)
        case .beat:
            if refused == .readOnly { leaveReplica(connection) }
        case .writingProbe: probedByWriting(pending, refused, over: connection)
        case .probe:
            let isWell = now - pending.sentAt <= scenario.settings.budgetMilliseconds * 1000
            perform(
                connection.breaker.probeAnswered(isWell: isWell, now: connection.replica.instant(now)), over: connection
            )
        }
    }

    /// The server refused a write because it is a replica.
    func leaveReplica(_ connection: SimulatedConnection) {
        abandon(connection, "it takes no heartbeats")
        if let subscriber = connection.replica.hearings[connection.primary].subscriber {
            abandon(subscriber, "the primary has another role")
        }
    }

    private func perform(_ action: StoreBreaker.Action, over connection: SimulatedConnection) {
        switch action {
        case .doNothing, .close: return
        case .openAndProbe: coverage.count("breakers opened")
        case .probe: break
        }
        schedule(
            .breakerProbe(connection), of: connection.replica,
            after: StoreBreaker.probeIntervalMilliseconds * 1000)
    }

    // MARK: Sending

    func probe(over connection: SimulatedConnection) {
        guard connection.isCurrent, connection.isServing, connection.breaker.isOpen else { return }
        if probeByWriting(over: connection) { return }
        let token = enqueue(.probe, over: connection)
        send(.probe(token: token), over: connection)
    }

    @discardableResult
    func enqueue(
        _ purpose: SimulatedConnection.Pending.Purpose, over connection: SimulatedConnection
    ) -> Int {
        let token = nextSerial()
        let replica = connection.replica
        let stamp = OperationStamp(
            sentAt: replica.instant(now), isFromChannelServer: replica.isFromChannelServer(connection))
        connection.pending.append(.init(token: token, purpose: purpose, sentAt: now, stamp: stamp))
        schedule(.patience(connection, token: token), of: replica, after: Self.patience)
        watch(connection)
        return token
    }

    func send(_ operation: StoreOperation, for purpose: StorePurpose, loop: Int, at replica: SimulatedReplica) {
        let primary = primary(of: operation.fingerprint)
        let isAdmitted =
            purpose.isBackground
            ? replica.mayAsk(loop: loop, primary: primary)
            : replica.mayAsk(loop: loop, about: operation.fingerprint, now: now)
        guard isAdmitted, let connection = replica.loops[loop].data[primary], !isElsewhere(connection) else {
            if !isAdmitted, replica.mayAsk(loop: loop, primary: primary) { coverage.count("questions not let through") }
            let stamp = OperationStamp(sentAt: replica.instant(now), isFromChannelServer: false)
            return schedule(.deliver(purpose, operation, .unavailable(.away), stamp, nil), of: replica, after: 0)
        }
        let token = enqueue(.operation(purpose, operation), over: connection)
        connection.breaker.sent(isBackground: purpose.isBackground)
        note("replica \(replica.index).\(loop): asks \(describe(operation))")
        send(.send(operation, token: token), over: connection)
        schedule(.deadline(connection, token: token), of: replica, after: scenario.settings.budgetMilliseconds * 1000)
    }

    /// Whether a data connection leads to another server than the channel's. Such a connection is given up.
    func isElsewhere(_ connection: SimulatedConnection) -> Bool {
        let replica = connection.replica
        guard has(.sameServer), replica.hearings[connection.primary].channel.subscribed != nil,
            !replica.isFromChannelServer(connection)
        else { return false }
        schedule(.connectTimeout(connection), of: replica, after: 0)
        connection.isServing = false
        return true
    }

    func deadline(_ token: Int, over connection: SimulatedConnection) {
        guard let index = connection.pending.firstIndex(where: { $0.token == token }),
            case .operation(let purpose, let operation) = connection.pending[index].purpose
        else { return }
        connection.pending[index].isLate = true
        let stamp = connection.pending[index].stamp
        if !purpose.isBackground {
            perform(connection.breaker.missed(now: connection.replica.instant(now)), over: connection)
        }
        deliver(.unavailable(.late), to: purpose, operation, stamp, nil, at: connection.replica)
    }
}
