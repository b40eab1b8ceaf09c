import Affinity

/// A server of the store: executes one command at a time, holds records with lifetimes, publishes to subscribers, and
/// replicates its changes to its replica.
final class SimulatedServer {
    let id: Int
    let primary: Int
    private(set) var identity: ServerIdentity
    /// Incremented with each process.
    private(set) var life = 0
    /// Incremented with each change of role, which invalidates everything in flight between two servers.
    var generation = 0
    var isAlive = true
    var isPrimary: Bool
    var records: [Fingerprint: ModelRecord] = [:]
    var history = ServerHistory()
    var era: UInt64?
    var subscribers: [SimulatedConnection] = []
    /// The server is frozen and executes nothing until then.
    var stalledUntil: Moment = 0
    var memoryFullUntil: Moment = 0
    /// A bit for each replica that can reach the server; nil: all.
    var reachableBy: Int?
    /// The replicas that cannot reach the server.
    var hiddenFrom: Set<Int> = []
    /// Who wrote a record last.
    var writers: [Fingerprint: SimulatedReplica] = [:]
    /// What was announced here, and when.
    private(set) var announced: [Fingerprint: [(binding: Binding, at: Moment)]] = [:]
    /// When a write was last refused.
    var lastRefusal: Moment = -1 << 40
    var lastAcknowledged: Moment = 0
    /// No replica has acknowledged anything for so long that a guarded primary refuses writes.
    var isShortOfReplicas = false
    /// Whether there are replicas in addition to the simulated one.
    var hasOtherReplicas = false
    var lastReplication: Moment = 0
    /// When the data was last replaced.
    var lastLoss: Moment = -1 << 40
    var replicationLag: Moment = 0
    /// Where Sentinels name the primary: its followers, or whom it follows.
    var links = ReplicationLinks()
    /// The data on disk.
    private var saved: (records: [Fingerprint: ModelRecord], era: UInt64?) = ([:], nil)
    private var names: SeededRandom

    init(id: Int, primary: Int, isPrimary: Bool, seed: UInt64) {
        self.id = id
        self.primary = primary
        self.isPrimary = isPrimary
        names = SeededRandom(seed: seed &+ UInt64(id) &* 1_000_003)
        identity = ServerIdentity(runID: .init("run-\(names.next())"), replicationID: "replication-\(names.next())")
    }

    func living(_ session: Fingerprint, now: Moment) -> ModelRecord? {
        records[session].flatMap { $0.expires > now ? $0 : nil }
    }

    func name() -> UInt64 { names.next() }

    func changeHistory() {
        generation += 1
        identity = ServerIdentity(runID: identity.runID, replicationID: "replication-\(names.next())")
    }

    func follow(_ other: SimulatedServer) {
        generation += 1
        identity = ServerIdentity(runID: identity.runID, replicationID: other.identity.replicationID)
    }

    func note(_ announcement: Announcement, at now: Moment) {
        for item in announcement.items {
            announced[item.fingerprint, default: []].append((item.record.binding, now))
        }
    }

    func save() { saved = (records, era) }

    /// Starts a new process, with the data on disk or without data.
    func restart(isEmpty: Bool, now: Moment) {
        life += 1
        generation += 1
        identity = ServerIdentity(
            runID: .init("run-\(names.next())"), replicationID: "replication-\(names.next())")
        subscribers = []
        memoryFullUntil = 0
        stalledUntil = 0
        adopt(isEmpty ? [:] : saved.records, era: isEmpty ? nil : saved.era, now: now)
        save()
    }

    /// Replaces the data; the new era or identity announces it.
    func adopt(_ records: [Fingerprint: ModelRecord], era: UInt64?, now: Moment) {
        closeExpired(now: now)
        history.announceLoss(at: now)
        lastLoss = now
        self.records = records.filter { $0.value.expires > now }
        self.era = era
        for (session, record) in self.records {
            guard let binding = record.binding else { continue }
            history.begin(binding, of: session, isPublished: false, continues: false, now: now)
        }
    }

    private func closeExpired(now: Moment) {
        for (session, record) in records where record.expires <= now {
            history.end(session, .expired, at: record.expires)
        }
    }

    /// Sets or removes a record, and records the end of the previous one. Returns the previous binding.
    @discardableResult
    func put(
        _ session: Fingerprint, _ record: ModelRecord?, isPublished: Bool, end: ReplicationStep.End, now: Moment
    ) -> Binding? {
        let before = records[session]
        let living = before.flatMap { $0.expires > now ? $0 : nil }
        records[session] = record
        if let binding = living?.binding, binding == record?.binding { return binding }
        if let before, living == nil { history.end(session, .expired, at: before.expires) }
        if living != nil { history.end(session, end == .superseded ? .superseded : .silent, at: now) }
        if let binding = record?.binding {
            history.begin(
                binding, of: session, isPublished: isPublished, continues: living?.binding != nil && end == .superseded,
                now: now)
        }
        return living?.binding
    }
}

/// One primary's role, and the servers that hold it.
struct PrimaryPlace {
    var current: SimulatedServer
    var standby: SimulatedServer?
    /// The replaced primary, until it follows its successor.
    var former: SimulatedServer?
    /// A bit for each replica that still takes the former server for the primary.
    var misled = 0
    var isFailing = false
    var failures = 0
    /// Nil if no Sentinels name the primary.
    var sentinels: SimulatedSentinels?
}
