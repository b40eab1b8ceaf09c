import Affinity

/// A server of the store: one command at a time, records with lifetimes, publish and subscribe, and a stream of what it
/// does to its replica.
final class SimulatedServer {
    let id: Int
    let primary: Int
    private(set) var identity: ServerIdentity
    /// Grows with each process.
    private(set) var life = 0
    /// Grows with each change of role: what was under way between two servers then is void.
    var generation = 0
    var isAlive = true
    var isPrimary: Bool
    var records: [Fingerprint: ModelRecord] = [:]
    var history = ServerHistory()
    var era: UInt64?
    var subscribers: [SimulatedConnection] = []
    /// Frozen: nothing is executed before.
    var stalledUntil: Moment = 0
    var memoryFullUntil: Moment = 0
    /// By whom it can be reached; all, if nil.
    var reachableBy: Int?
    var lastAcknowledged: Moment = 0
    /// No replica has acknowledged anything for so long that a guarded primary takes no writes.
    var isShortOfReplicas = false
    /// There are replicas beside the one that is simulated.
    var hasOtherReplicas = false
    var lastReplication: Moment = 0
    /// When its data became others.
    var lastLoss: Moment = -1 << 40
    var replicationLag: Moment = 0
    /// What is on its disk.
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

    func save() { saved = (records, era) }

    /// A process of another run, with what is on the disk or with nothing.
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

    /// Holds other data from now on, and another era or identity says so.
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

    /// Sets a record, or removes it, and writes down what became of the one before. Returns what stood before.
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

/// One primary's place, and who holds it.
struct PrimaryPlace {
    var current: SimulatedServer
    var standby: SimulatedServer?
    /// The primary that was replaced, until it follows its successor.
    var former: SimulatedServer?
    /// The replicas that still take the former one for the primary.
    var misled = 0
    var isFailing = false
    var failures = 0
}
