import LimpetTestKit

@testable import Affinity

/// Replicas with nothing but their standby, a store between them that answers at once, and a clock.
struct StandbyFleet {
    struct Replica {
        let cache: BindingCache
        let coherence: Coherence
        var channel = CoherenceChannel(leaseMilliseconds: 500)
        var standby: Standby
        var nextTick: Instant
        /// A replica of an earlier release, or one that says nothing.
        var isSilent = false

        func status(_ now: Instant) -> StandbyStatus { standby.status(now: now) }
    }

    /// The keys of a page of a scan.
    var pageSize = 100

    var store = ModelStore()
    var era = "first"
    var server = ServerIdentity(runID: .init("one"), replicationID: "a")
    var storeIsUp = true
    /// What the store says to a scan instead of the truth.
    var scanReply: ((_ cursor: UInt64) -> (next: UInt64, sessions: [Fingerprint])?)?
    var mayAnnounce = true
    var refusesReads = false
    /// The store refuses to write.
    var refusesWrites = false
    var now = Instant(nanoseconds: 1_000_000_000_000)
    var replicas: [Replica] = []
    private(set) var scans = 0
    private(set) var reads = 0
    private(set) var offers: [(replica: Int, operation: StoreOperation, at: Instant)] = []
    private(set) var announcements: [Announcement] = []
    private var sinceBeat: Int64 = 0
    private let cacheEntries: Int

    init(replicas count: Int, cacheEntries: Int = 5000) {
        self.cacheEntries = cacheEntries
        for index in 0..<count { replicas.append(makeReplica(index)) }
    }

    private func makeReplica(_ index: Int) -> Replica {
        let cache = BindingCache(entries: cacheEntries, shards: 4)
        let coherence = Coherence(primaries: 1)
        return Replica(
            cache: cache, coherence: coherence,
            standby: Standby(
                instance: UInt64(index + 1), cache: cache, coherence: coherence, budgetMilliseconds: 20,
                stepsMax: 1000, now: now),
            nextTick: now)
    }

    mutating func restart(_ index: Int) {
        replicas[index] = makeReplica(index)
        if storeIsUp { connect(index) }
    }

    // MARK: The store

    mutating func start() {
        for index in replicas.indices { connect(index) }
    }

    mutating func loseStore() {
        storeIsUp = false
        for index in replicas.indices {
            replicas[index].channel.lost()
            publish(index)
        }
    }

    mutating func restoreStore() {
        storeIsUp = true
        start()
    }

    /// A new process, without data.
    mutating func emptyStore() {
        store.flush()
        era = "\(era)+"
        server = ServerIdentity(runID: .init("\(server.runID)+"), replicationID: "\(era)")
    }

    mutating func connect(_ index: Int) {
        replicas[index].channel.subscribed(to: server, now: now)
        publish(index)
        beat(index)
    }

    private mutating func beat(_ index: Int) {
        guard storeIsUp, replicas[index].channel.state != .down else { return }
        let sequence = replicas[index].channel.beat(now: now)
        _ = replicas[index].channel.echoed(sequence, from: server.runID, era: era, now: now)
        publish(index)
    }

    private mutating func publish(_ index: Int) {
        let channel = replicas[index].channel
        replicas[index].standby.channelChanged(
            to: channel.status, echoedBeatSentAt: channel.echoedBeatSentAt, hearsAnnouncements: true, now: now)
        replicas[index].coherence.publish(channel.status)
    }

    /// A record that some replica has written.
    mutating func write(
        _ session: Fingerprint, _ binding: Binding, by index: Int, lifetimeMilliseconds: Int64 = 600_000
    ) {
        store.put(session, binding, until: now.advanced(byMilliseconds: lifetimeMilliseconds))
        confirm(session, binding, by: index, lifetimeMilliseconds: lifetimeMilliseconds)
        replicas[index].coherence.written.add(session, now: now)
    }

    /// The store has confirmed a binding to a replica.
    mutating func confirm(
        _ session: Fingerprint, _ binding: Binding, by index: Int, lifetimeMilliseconds: Int64 = 600_000
    ) {
        let entry = BindingCache.Entry(
            binding: binding, kind: .confirmed, confirmedAt: now,
            expiresAt: now.advanced(byMilliseconds: lifetimeMilliseconds))
        replicas[index].cache.store(entry, for: session, now: now)
    }

    func known(_ session: Fingerprint, by index: Int) -> BindingCache.Entry? {
        replicas[index].cache.peek(session, now: now)
    }

    // MARK: Time

    mutating func pass(_ milliseconds: Int64) {
        for _ in 0..<(milliseconds / 5) {
            now = now.advanced(byMilliseconds: 5)
            sinceBeat += 5
            for index in replicas.indices {
                if sinceBeat >= 100 { beat(index) }
                if now >= replicas[index].nextTick { tick(index) }
            }
            if sinceBeat >= 100 { sinceBeat = 0 }
        }
    }

    private mutating func tick(_ index: Int) {
        let fleet = fleet(without: index)
        let actions = replicas[index].standby.tick(fleet: fleet, storeIsAvailable: storeIsUp, now: now)
        perform(actions, index)
        replicas[index].nextTick = now.advanced(byMilliseconds: replicas[index].standby.isBusy ? 5 : 50)
    }

    /// What the others report, as the roster sums it up.
    private func fleet(without index: Int) -> FleetStandby {
        var roster = FleetRoster(configuration: 1)
        for (other, replica) in replicas.enumerated() where other != index {
            let status = replica.status(now)
            let version = replica.isSilent ? "1" : status.following(version: "1")
            _ = roster.received(
                FleetMessage(
                    sender: .init(instance: UInt64(other + 1), configuration: 1, name: "r", version: version),
                    sequence: 1, lease: .live, intervalMilliseconds: 1000, verdicts: []), now: now)
        }
        return roster.standby
    }

    private mutating func perform(_ actions: [Standby.Action], _ index: Int) {
        var actions = actions[...]
        while let action = actions.popFirst() {
            switch action {
            case .scan(let cursor): actions += scan(cursor, index)
            case .send(let operation): actions += send(operation, index)
            case .announce(let sessions, let hasLeftOut): actions += announce(sessions, hasLeftOut, index)
            }
        }
    }

    private mutating func scan(_ cursor: UInt64, _ index: Int) -> [Standby.Action] {
        scans += 1
        if let scanReply {
            guard let (next, sessions) = scanReply(cursor) else {
                replicas[index].standby.scanFailed(isFinal: true, now: now)
                return []
            }
            return replicas[index].standby.scanned(sessions, next: next, now: now)
        }
        let all = store.sessions(now: now)
        let start = Int(cursor)
        let page = Array(all[min(start, all.count)..<min(start + pageSize, all.count)])
        let next = start + pageSize < all.count ? UInt64(start + pageSize) : 0
        return replicas[index].standby.scanned(page, next: next, now: now)
    }

    private mutating func send(_ operation: StoreOperation, _ index: Int) -> [Standby.Action] {
        var result: StoreResult
        if case .read = operation {
            reads += 1
            result = refusesReads ? .unavailable(.refused) : store.result(operation, now: now)
        } else {
            offers.append((index, operation, now))
            result = refusesWrites ? .unavailable(.refused) : store.result(operation, now: now)
        }
        if !storeIsUp { result = .unavailable(.lost) }
        return replicas[index].standby.answered(
            result, to: operation, stamp: OperationStamp(sentAt: now), now: now)
    }

    private mutating func announce(
        _ sessions: [Fingerprint], _ hasLeftOut: Bool, _ index: Int
    ) -> [Standby.Action] {
        guard mayAnnounce else {
            return replicas[index].standby.announced(isPublished: false, isRefused: true, now: now)
        }
        let items = sessions.compactMap { session -> Announcement.Item? in
            guard case .record(let record) = store.result(.read(session), now: now) else { return nil }
            return Announcement.Item(session, record)
        }
        let message = Announcement(instance: UInt64(index + 1), hasLeftOut: hasLeftOut, items: items)
        announcements.append(message)
        for other in replicas.indices { replicas[other].standby.received(message, now: now) }
        return replicas[index].standby.announced(isPublished: true, isRefused: false, now: now)
    }
}
