import Affinity

/// What a replica knows of sessions that others serve: the process around `Standby`.
extension Simulation {
    // MARK: Time

    func standbyTick(_ primary: Int, at replica: SimulatedReplica) {
        let instant = replica.instant(now)
        announceUnsure(primary, at: replica)
        let isAvailable = replica.mayAsk(loop: 0, primary: primary)
        let fleet = fleetStandby(of: replica)
        guard
            let actions = replica.hearings[primary].standby?.core.tick(
                fleet: fleet, storeIsAvailable: isAvailable, now: instant)
        else { return }
        perform(actions, primary, at: replica)
        let isBusy = replica.hearings[primary].standby?.core.isBusy ?? false
        schedule(.standbyTick(primary: primary), of: replica, after: isBusy ? 5000 : 50_000)
        noteStandby(of: replica)
        checkRefilled(primary)
    }

    /// The channel's status before it is published.
    func tellStandby(_ status: Coherence.Status, _ primary: Int, of replica: SimulatedReplica) {
        let hears = replica.release == .present
        let echoedBeatSentAt = replica.hearings[primary].channel.echoedBeatSentAt
        replica.hearings[primary].standby?.core.channelChanged(
            to: seen(status), echoedBeatSentAt: echoedBeatSentAt, hearsAnnouncements: hears,
            now: replica.instant(now))
        noteStandby(of: replica)
    }

    /// Tells the fleet of a changed status.
    private func noteStandby(of replica: SimulatedReplica) {
        for primary in replica.hearings.indices { noteSynced(primary, of: replica) }
        guard let status = replica.standbyStatus(now), status != replica.status else { return }
        let isUrgent = !status.isSameKind(as: replica.status)
        if isUrgent {
            note("replica \(replica.index): standby is \(status)")
            coverage.count("standby \(status.name)")
        }
        replica.status = status
        replica.fleet.standbyChanged(to: status, isUrgent: isUrgent)
        perform([FleetHealth.Action](), at: replica)
    }

    private func noteSynced(_ primary: Int, of replica: SimulatedReplica) {
        let isSynced = replica.isSynced(primary: primary, now: now)
        guard var standby = replica.hearings[primary].standby, isSynced != (standby.syncedBegan != nil) else { return }
        standby.syncedBegan = isSynced ? standby.scanBegan : nil
        replica.hearings[primary].standby = standby
    }

    // MARK: Actions

    private func perform(_ actions: [Standby.Action], _ primary: Int, at replica: SimulatedReplica) {
        for action in actions {
            switch action {
            case .scan(let cursor): scan(cursor, primary, at: replica)
            case .send(let operation): send(operation, primary, at: replica)
            case .announce(let sessions, let hasLeftOut):
                announce(sessions, hasLeftOut: hasLeftOut, primary, at: replica)
            }
        }
    }

    private func connection(_ primary: Int, at replica: SimulatedReplica) -> SimulatedConnection? {
        guard replica.mayAsk(loop: 0, primary: primary), let connection = replica.loops[0].data[primary],
            !isElsewhere(connection)
        else { return nil }
        return connection
    }

    private func scan(_ cursor: UInt64, _ primary: Int, at replica: SimulatedReplica) {
        if cursor == 0 {
            coverage.count("scans")
            checkScanBegins(primary, at: replica)
            replica.hearings[primary].standby?.scanBegan = now
            replica.hearings[primary].standby?.lossesBefore = replica.cache.losses
            replica.hearings[primary].standby?.readAt = [:]
        }
        guard let connection = connection(primary, at: replica) else {
            return schedule(.scanFailed(primary: primary), of: replica, after: 0)
        }
        let token = enqueue(.scan, over: connection)
        send(.scan(cursor: cursor, token: token), over: connection)
    }

    private func send(_ operation: StoreOperation, _ primary: Int, at replica: SimulatedReplica) {
        if case .offer = operation { coverage.count("offers to refill") }
        checkMove(operation, of: operation.fingerprint, lastRecord: nil, at: replica, isRequest: false)
        send(refillOperation(operation), for: .standby(operation), loop: 0, at: replica)
    }

    private func announce(
        _ sessions: [Fingerprint], hasLeftOut: Bool, _ primary: Int, at replica: SimulatedReplica
    ) {
        guard let connection = connection(primary, at: replica) else {
            return schedule(.announced(primary: primary, isPublished: false), of: replica, after: 0)
        }
        var (sessions, hasLeftOut) = (sessions, hasLeftOut)
        if replica.hearings[primary].standby?.leavesOut == true, !sessions.isEmpty {
            coverage.count("announcements left out")
            replica.hearings[primary].standby?.leavesOut = false
            (sessions, hasLeftOut) = ([], true)
        }
        if !has(.announcements) { sessions = [] }
        note("replica \(replica.index): announces \(sessions.map(name))\(hasLeftOut ? ", and leaves some out" : "")")
        let token = enqueue(.announce, over: connection)
        let written = has(.announcedAsHeld) ? nil : asWritten(sessions, by: replica)
        send(
            .announce(
                sessions, hasLeftOut: hasLeftOut, instance: replica.instance, written: written, token: token),
            over: connection)
    }

    // MARK: Results

    func scanned(_ sessions: [Fingerprint], next: UInt64, _ primary: Int, at replica: SimulatedReplica) {
        let actions = replica.hearings[primary].standby?.core.scanned(
            sessions, next: next, now: replica.instant(now))
        perform(actions ?? [], primary, at: replica)
    }

    func scanFailed(_ primary: Int, at replica: SimulatedReplica) {
        replica.hearings[primary].standby?.core.scanFailed(isFinal: false, now: replica.instant(now))
    }

    func announced(isPublished: Bool, _ primary: Int, at replica: SimulatedReplica) {
        coverage.count(isPublished ? "announcements" : "announcements without a reply")
        let actions = replica.hearings[primary].standby?.core.announced(
            isPublished: isPublished, isRefused: false, now: replica.instant(now))
        perform(actions ?? [], primary, at: replica)
    }

    func standbyAnswered(
        _ result: StoreResult, to operation: StoreOperation, _ stamp: OperationStamp, _ origin: AnswerOrigin?,
        at replica: SimulatedReplica
    ) {
        let primary = primary(of: operation.fingerprint)
        if case .read = operation, case .record(let record) = result, let origin {
            replica.hearings[primary].standby?.readAt[operation.fingerprint] = origin.at
            noteConflict(record.binding, of: operation.fingerprint, at: replica)
        }
        let (result, stamp) = readAsIfWithoutRules(result, operation, stamp, at: replica)
        let actions = replica.hearings[primary].standby?.core.answered(
            result, to: operation, stamp: stamp, now: replica.instant(now))
        useWithoutAsking(operation.fingerprint, at: replica)
        perform(actions ?? [], primary, at: replica)
    }

    func heard(_ announcement: Announcement, over connection: SimulatedConnection) {
        let replica = connection.replica
        guard replica.release == .present else { return }
        coverage.count("announcements heard")
        for item in announcement.items { noteConflict(item.record.binding, of: item.fingerprint, at: replica) }
        let heard = heardAsIfWithoutRules(announcement, connection.primary, at: replica)
        replica.hearings[connection.primary].standby?.core.received(heard, now: replica.instant(now))
        for item in heard.items { useWithoutAsking(item.fingerprint, at: replica) }
        note(
            "replica \(replica.index): hears of "
                + announcement.items.map { "\(name($0.fingerprint)) \(name($0.record.binding))" }.joined(
                    separator: ", "))
    }
}

extension StandbyStatus {
    /// For counting.
    fileprivate var name: String {
        switch self {
        case .synced: "synced"
        case .syncing: "syncing"
        case .refilling: "refilling"
        case .notSynced(let reason): "waits, \(reason.rawValue)"
        case .off: "off"
        }
    }
}

// MARK: The store's side

extension Simulation {
    /// A page of keys: those that are there throughout a scan are returned at least once.
    func page(from cursor: UInt64, on server: SimulatedServer) -> (sessions: [Fingerprint], next: UInt64) {
        // No key is at 0: that is the first and the last cursor.
        func place(_ session: Fingerprint) -> UInt64 { max(1, session.high &* 0x9e37_79b9_7f4a_7c15 ^ session.low) }
        let keys = server.records.filter { $0.value.expires > now }.keys.map { (place($0), $0) }
            .filter { $0.0 > cursor }.sorted { $0.0 < $1.0 }
        let size = 3
        let page = keys.prefix(size)
        guard keys.count > size, let last = page.last else { return (page.map(\.1), 0) }
        // Some keys come twice.
        let next = last.0 % 4 == 0 ? page[1].0 : last.0
        return (page.map(\.1), next)
    }

    /// Publishes the records as they are.
    func announce(
        _ sessions: [Fingerprint], hasLeftOut: Bool, instance: UInt64, written: [Announcement.Item]?,
        on server: SimulatedServer
    ) {
        let held = sessions.compactMap { session -> Announcement.Item? in
            guard let record = server.living(session, now: now), let binding = record.binding else { return nil }
            let remainingMilliseconds = (record.expires - now) / 1000
            guard remainingMilliseconds > 0 else { return nil }
            return Announcement.Item(
                session,
                StoredRecord(
                    binding, remainingMilliseconds: remainingMilliseconds, createdAtSeconds: record.createdAtSeconds))
        }
        publish(
            .announced(Announcement(instance: instance, hasLeftOut: hasLeftOut, items: written ?? held)), on: server)
    }
}
