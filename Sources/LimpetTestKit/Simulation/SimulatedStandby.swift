import Affinity

/// A replica's standby for one primary, and what the checks need to know of it.
struct SimulatedStandby {
    /// How much of it a replica has.
    enum Release: Sendable {
        case present
        /// A replica of the release before: it announces nothing, hears no announcement, and reports no status.
        case before
        /// The store does not permit announcements.
        case refused
    }

    var core: Standby
    /// When the scan that is running, or the last one, asked for its first page.
    var scanBegan: Moment = 0
    /// When the scan that made this replica synced asked for its first page; nil while it is not synced.
    var syncedBegan: Moment?
    /// Records evicted or refused a slot before that scan.
    var lossesBefore: UInt64 = 0
    /// When the store read the record for that scan.
    var readAt: [Fingerprint: Moment] = [:]
    /// Sessions of which this replica has a binding that wins over the record it was told of.
    var conflicts: Set<Fingerprint> = []
    /// Sessions that the next announcement leaves out.
    var leavesOut = false

    init(core: Standby) { self.core = core }
}

extension SimulatedReplica {
    /// What this replica reports to the others: the least of what its primaries' standbys are worth.
    func standbyStatus(_ now: Moment) -> StandbyStatus? {
        let statuses = hearings.compactMap { $0.standby?.core.status(now: instant(now)) }
        return statuses.max { $0.weight < $1.weight }
    }

    func isSynced(primary: Int, now: Moment) -> Bool {
        hearings[primary].standby?.core.status(now: instant(now)) == .synced
    }
}

extension StandbyStatus {
    fileprivate var weight: Int {
        switch self {
        case .synced: 0
        case .notSynced: 1
        case .syncing: 2
        case .refilling: 3
        case .off: 4
        }
    }

    /// Whether the other differs by no more than its count of sessions.
    func isSameKind(as other: StandbyStatus?) -> Bool {
        if case .syncing = self, case .syncing? = other { return true }
        return self == other
    }
}
