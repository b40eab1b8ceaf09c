import Affinity

/// Turns off rules of standby.
extension Simulation {
    /// What the others report.
    func fleetStandby(of replica: SimulatedReplica) -> FleetStandby {
        var fleet = replica.fleet.roster.standby
        if !has(.scanAfterRefill) { fleet.isRefilling = false }
        return fleet
    }

    /// The channel's status as standby sees it: without lineages of one kind if nothing is refilled for them.
    func seen(_ status: Coherence.Status) -> Coherence.Status {
        var status = status
        if !has(.refillOldData) { status.lineage = status.eras }
        if !has(.refill) { (status.lineage, status.eras) = (status.lineage > 0 ? 1 : 0, status.lineage > 0 ? 1 : 0) }
        return status
    }

    /// The records as this replica wrote them.
    func asWritten(_ sessions: [Fingerprint], by replica: SimulatedReplica) -> [Announcement.Item] {
        sessions.compactMap { session in
            replica.written[session].map {
                Announcement.Item(
                    session,
                    StoredRecord(
                        $0, remainingMilliseconds: scenario.settings.recordLifetimeMilliseconds))
            }
        }
    }

    /// Without `askedAgain`, a write without a result counts as carried out, or never to be, as soon as a heartbeat
    /// that was sent later has come back.
    func asIfNotAskedAgain(
        _ result: StoreResult, _ operation: StoreOperation, _ purpose: StorePurpose, at replica: SimulatedReplica
    ) -> StoreResult {
        guard !has(.askedAgain), result == .unavailable(.late) || result == .unavailable(.lost) else { return result }
        if case .standby = purpose { return result }
        if !operation.isTouch { replica.unsure.append((operation.fingerprint, replica.instant(now))) }
        return .unavailable(.away)
    }

    func announceUnsure(_ primary: Int, at replica: SimulatedReplica) {
        guard let sentAt = replica.hearings[primary].channel.echoedBeatSentAt else { return }
        let (unsure, instant) = (replica.unsure, replica.instant(now))
        replica.unsure = unsure.filter { self.primary(of: $0.session) != primary || $0.since >= sentAt }
        for each in unsure where self.primary(of: each.session) == primary && each.since < sentAt {
            replica.coherence.written.add(each.session, now: instant)
        }
    }

    /// Without `offerEpoch`, the refill creates what it offers.
    func refillOperation(_ operation: StoreOperation) -> StoreOperation {
        guard !has(.offerEpoch),
            case .offer(let session, let binding, let lifetimeMilliseconds, let created) = operation,
            !binding.isTombstone
        else { return operation }
        return .create(
            session, binding.backend, lifetimeMilliseconds: lifetimeMilliseconds, createdAtSeconds: created)
    }

    func heardAsIfWithoutRules(
        _ announcement: Announcement, _ primary: Int, at replica: SimulatedReplica
    ) -> Announcement {
        let items = announcement.items
        let instant = replica.instant(now)
        if !has(.earlierLineage) {
            for item in items where replica.cache.peek(item.fingerprint, now: instant)?.isStandby == true {
                replica.cache.remove(item.fingerprint)
            }
        }
        return Announcement(
            instance: announcement.instance, hasLeftOut: announcement.hasLeftOut && has(.leftOut), items: items)
    }

    func readAsIfWithoutRules(
        _ result: StoreResult, _ operation: StoreOperation, _ stamp: OperationStamp, at replica: SimulatedReplica
    ) -> (StoreResult, OperationStamp) {
        guard case .record(let record) = result else { return (result, stamp) }
        let instant = replica.instant(now)
        let entry = replica.cache.peek(operation.fingerprint, now: instant)
        var result = result
        if case .read = operation {
            if !has(.pageFills), let entry, entry.kind == .confirmed, !entry.isStandby { result = .absent }
        }
        if !has(.lifeSeen), let entry, entry.binding == record.binding {
            let known = entry.expiresAt.milliseconds(since: instant) + 100
            result = .record(
                record.binding, remainingMilliseconds: max(known, record.remainingMilliseconds),
                createdAtSeconds: record.createdAtSeconds)
        }
        return (result, stamp)
    }

    /// Without `standbyAsks`, standby is used like what the store has confirmed to this replica.
    func useWithoutAsking(_ session: Fingerprint, at replica: SimulatedReplica) {
        let instant = replica.instant(now)
        guard !has(.standbyAsks), var entry = replica.cache.peek(session, now: instant), entry.isStandby,
            entry.isSuspect
        else { return }
        entry.isSuspect = false
        replica.cache.store(entry, for: session, now: instant)
    }

    /// Without `expiredGuesses`, the operation that restores an expired entry as if it were alive.
    func restoringExpired(_ operation: StoreOperation, at replica: SimulatedReplica) -> StoreOperation {
        guard !has(.expiredGuesses),
            case .create(let session, let backend, let lifetimeMilliseconds, let created) = operation,
            let expired = replica.cache.expired(session, now: replica.instant(now)), expired.binding.epoch > 1,
            expired.binding.backend == backend
        else { return operation }
        return .restore(
            session, expired.binding, lifetimeMilliseconds: lifetimeMilliseconds, createdAtSeconds: created)
    }
}
