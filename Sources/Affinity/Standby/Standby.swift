/// Knows the sessions that other replicas serve, so that the loss of the store moves none of them: for one primary of
/// the store, what this replica announces, scans and refills, and how much its knowledge is worth (section 7 of the
/// affinity protocol).
///
/// Pure, one per primary: the shell reports what the channel, the fleet and the store say, and carries out the actions.
/// Each action has exactly one result. Requests never wait for any of it.
package struct Standby: Sendable {
    package enum Action: Equatable, Sendable {
        /// Report the reply by ``Standby/scanned(_:next:now:)`` or ``Standby/scanFailed(isFinal:now:)``.
        case scan(cursor: UInt64)
        /// Report the result by ``Standby/answered(_:to:stamp:now:)``.
        case send(StoreOperation)
        /// Report the outcome by ``Standby/announced(isPublished:isRefused:now:)``.
        case announce([Fingerprint], hasLeftOut: Bool)
    }

    package struct Counters: Hashable, Sendable {
        /// Messages that the store has published.
        package var announcementsSent: UInt64 = 0
        /// Records heard from other replicas.
        package var recordsHeard: UInt64 = 0
        /// Records dropped because more were announced than this replica accepts.
        package var recordsDropped: UInt64 = 0
        /// Messages of others that told of records left out.
        package var gapsHeard: UInt64 = 0
        /// Records met by scans.
        package var scanned: UInt64 = 0
        /// Scans of the whole store that ended.
        package var scans: UInt64 = 0
        /// Offers sent to refill the store.
        package var offers: UInt64 = 0
        package var refills: UInt64 = 0

        package init() {}
    }

    private enum Purpose {
        case sync, refill
    }

    /// Milliseconds after which the count of replicas is trusted, and a guess may be offered to a store that may have
    /// lost data: by then everyone who knows more is back.
    private static let settledMilliseconds: Int64 = 3000
    /// Milliseconds between two scans that cannot make this replica synced.
    private static let rescanMilliseconds: Int64 = 600_000
    /// Milliseconds after which what the store refused is tried again: rights may have changed.
    private static let refusalMilliseconds: Int64 = 10_000
    /// Records per second that are accepted from others: more than the fleet's share of the server's time allows.
    private static let recordsPerSecond: Int64 = 100_000

    private let primary: Int
    private let instance: UInt64
    private let cache: BindingCache
    private let coherence: Coherence
    private let budgetMilliseconds: Int64
    private let startedAt: Instant

    private var channel = Coherence.Status.down
    private var echoedBeatSentAt: Instant?
    private var hearsAnnouncements = true
    private var mayAnnounce = true
    private var refusedUntil = Instant.distantPast
    private var liveSince: Instant?
    private var generations: UInt64 = 0
    /// The lineage that the last refill began for, if one was needed.
    private var lineage: UInt64 = 0
    private var eras: UInt64 = 0
    /// What a replica has confirmed before its first heartbeat came back is little: it need not be heard of.
    private var isFirstLineage = true
    /// The store may have lost data just now, and others may know more of it: guesses wait for them.
    private var awaitsOthers = false

    private var fleet = FleetStandby()
    private var count = ReplicaCount()

    private var announcer = Announcer()
    private var scan: StoreScan
    private var purpose = Purpose.sync
    private var refill: Refill
    /// When a refill that was cut is resumed, and how long after.
    private var resumesAt: Instant?
    private var resumeMilliseconds = refusalMilliseconds
    private var scanBegan = Instant.distantPast
    private var needsScan = false
    private var rescanAt: Instant?
    private var lossesBefore: UInt64 = 0
    private var isSynced = false
    private var reason = StandbyStatus.Reason.waiting
    private var allowance = recordsPerSecond
    private var allowedAt: Instant?
    private var tallied = Counters()

    /// - Parameters:
    ///   - instance: the random number of this process, by which the fleet knows it.
    ///   - budgetMilliseconds: how long a request waits for the store.
    ///   - recordLifetimeMilliseconds: the longest of all services.
    ///   - stepsMax: how many pages a scan may have.
    package init(
        primary: Int = 0, instance: UInt64, cache: BindingCache, coherence: Coherence,
        budgetMilliseconds: Int64, recordLifetimeMilliseconds: Int64 = AffinitySettings().recordLifetimeMilliseconds,
        stepsMax: Int = StoreScan.stepsMax, now: Instant
    ) {
        self.primary = primary
        self.instance = instance
        self.cache = cache
        self.coherence = coherence
        self.budgetMilliseconds = budgetMilliseconds
        startedAt = now
        scan = StoreScan(stepsMax: stepsMax)
        refill = Refill(restoredLifetimeMilliseconds: recordLifetimeMilliseconds)
        coherence.setRefilling(true, primary: primary)
    }

    /// The longest lifetime of a record, of all services, in milliseconds.
    package mutating func reconfigured(recordLifetimeMilliseconds: Int64) {
        refill.restoredLifetimeMilliseconds = recordLifetimeMilliseconds
    }

    /// Since the start.
    package var counters: Counters {
        var counters = tallied
        counters.announcementsSent = announcer.sent
        counters.offers = refill.offers
        return counters
    }

    /// How much this replica would know if the store were lost now.
    package func status(now: Instant) -> StandbyStatus {
        guard hearsAnnouncements, mayAnnounce else { return .off }
        if isRefilling, !isFirstLineage { return .refilling }
        if scan.isRunning || scan.state == .ended { return .syncing(sessions: scan.sessions) }
        if isSynced { return .synced }
        let hasWaited = now >= startedAt.advanced(byMilliseconds: count.presenceMilliseconds)
        if channel.lineage == 0, hasWaited { return .notSynced(.startedWithoutStore) }
        return .notSynced(scan.state == .failed ? .scanFailed : reason)
    }

    /// Whether something is due soon: ticks every 5 ms instead of every 50 ms keep the pace.
    package var isBusy: Bool {
        scan.isRunning || isRefilling || coherence.written.fillsMessage(primary: primary)
    }

    /// Whether this replica offers what it knows to a store that may have lost it, or is about to.
    package var isRefilling: Bool {
        if case .none = refill.phase { return channel.lineage != lineage }
        return true
    }

    /// Whether the channel has been live for long enough to have heard everyone.
    private func isSettled(_ now: Instant) -> Bool {
        liveSince.map { now >= $0.advanced(byMilliseconds: Self.settledMilliseconds) } ?? false
    }

    // MARK: The channel

    /// The coherence channel's status has changed, or a heartbeat has come back. Call this before the status is
    /// published: the first decision under it must know whether the store may have lost data.
    ///
    /// - Parameters:
    ///   - echoedBeatSentAt: when the last heartbeat that has come back in this generation was sent.
    ///   - hearsAnnouncements: whether the subscription includes the announcements.
    package mutating func channelChanged(
        to status: Coherence.Status, echoedBeatSentAt: Instant?, hearsAnnouncements: Bool, now: Instant
    ) {
        let isDown = status.generationBegan == .distantFuture
        if !isDown, status.generationBegan != channel.generationBegan {
            beginGeneration(hearsAnnouncements: hearsAnnouncements)
        }
        channel = status
        self.echoedBeatSentAt = echoedBeatSentAt
        let isLive = echoedBeatSentAt != nil && now < status.liveUntil
        if isLive, liveSince == nil { liveSince = now }
        if isDown { liveSince = nil }
        noticeLoss()
        tellRefilling(now)
    }

    private mutating func beginGeneration(hearsAnnouncements: Bool) {
        self.hearsAnnouncements = hearsAnnouncements
        mayAnnounce = true
        liveSince = nil
        generations &+= 1
        scan.stop()
        gap(.waiting)
    }

    /// Something may have been missed: the store has to be scanned again.
    private mutating func gap(_ reason: StandbyStatus.Reason) {
        isSynced = false
        needsScan = true
        self.reason = reason
    }

    /// A new lineage is a loss only for what the store has confirmed already.
    private mutating func noticeLoss() {
        guard channel.lineage != lineage else { return }
        isFirstLineage = lineage == 0
        awaitsOthers = true
        let counts = cache.counts()
        if counts.confirmed + counts.standby == 0 { (lineage, eras) = (channel.lineage, channel.eras) }
    }

    private mutating func tellRefilling(_ now: Instant) {
        if isSettled(now) { awaitsOthers = false }
        // Until a heartbeat has come back, it is not known whether the store has lost anything.
        let isHolding = liveSince == nil || awaitsOthers
        coherence.setRefilling(isHolding || isRefilling || fleet.isRefilling, primary: primary)
    }

    // MARK: The others

    /// An announcement was heard, or this replica's own has come back. Nothing in it is used before a heartbeat has
    /// come back: the scan reads it instead.
    package mutating func received(_ announcement: Announcement, now: Instant) {
        guard let echoedBeatSentAt else { return }
        // This replica's own message may tell it of a write whose result it never had.
        let isOwn = announcement.instance == instance
        if announcement.hasLeftOut, !isOwn {
            tallied.gapsHeard &+= 1
            gap(.leftOut)
        }
        guard admits(announcement.items.count, now) else {
            tallied.recordsDropped &+= UInt64(announcement.items.count)
            return gap(.leftOut)
        }
        if !isOwn { tallied.recordsHeard &+= UInt64(announcement.items.count) }
        for item in announcement.items where coherence.primaries.primary(of: item.fingerprint) == primary {
            cache.applyAnnounced(
                item.record, of: item.fingerprint, livesFrom: echoedBeatSentAt, lineageBegan: channel.lineageBegan,
                now: now)
        }
    }

    private mutating func admits(_ records: Int, _ now: Instant) -> Bool {
        let earned = now.milliseconds(since: allowedAt ?? now) * Self.recordsPerSecond / 1000
        if earned > 0 || allowedAt == nil { allowedAt = now }
        allowance = min(Self.recordsPerSecond, allowance + max(0, earned))
        guard allowance >= Int64(records) else { return false }
        allowance -= Int64(records)
        return true
    }

    // MARK: Time

    /// Call this every 50 ms, and every 5 ms while ``isBusy``.
    /// - Parameters:
    ///   - fleet: what the others report.
    ///   - storeIsAvailable: whether an operation would be sent now.
    package mutating func tick(fleet: FleetStandby, storeIsAvailable: Bool, now: Instant) -> [Action] {
        update(fleet, now)
        let isLive = liveSince != nil && now < channel.liveUntil
        if isLive {
            beginRefillIfDue(now)
            resumeRefillIfDue(now)
        }
        tellRefilling(now)
        noticeEviction(now)
        endScanIfDue(now)
        guard isLive, storeIsAvailable else { return [] }
        beginScanIfDue(now)
        return dueActions(now)
    }

    private mutating func update(_ fleet: FleetStandby, _ now: Instant) {
        if fleet.isRefilling { gap(.waiting) }
        if fleet.hasUnannounced != self.fleet.hasUnannounced {
            gap(fleet.hasUnannounced ? .unannounced : .waiting)
        }
        self.fleet = fleet
        count.update(
            heard: fleet.heard, liveSince: liveSince, settledMilliseconds: Self.settledMilliseconds, now: now)
        let sharing = max(count.counted ?? OfferThrottle.uncountedReplicas, count.atLeast)
        coherence.offerThrottle.share(among: sharing, primary: primary)
    }

    private mutating func beginRefillIfDue(_ now: Instant) {
        // What is confirmed from the next tick of the cache on is told apart from what was confirmed before the loss.
        guard channel.lineage != lineage, CacheTick(now) != CacheTick(channel.lineageBegan) else { return }
        let loss: Refill.Loss = isFirstLineage ? .unknown : channel.eras != eras ? .everything : .something
        (lineage, eras) = (channel.lineage, channel.eras)
        tallied.refills &+= 1
        // A scan under way has met what is lost by now.
        gap(.waiting)
        scan.stop()
        refill.begin(after: loss)
        (resumesAt, resumeMilliseconds) = (nil, Self.refusalMilliseconds)
    }

    /// A store that refused a write may take it later. Each time it is left alone for twice as long.
    private mutating func resumeRefillIfDue(_ now: Instant) {
        guard refill.isCut else { return }
        guard let resumesAt else {
            resumesAt = now.advanced(byMilliseconds: resumeMilliseconds)
            resumeMilliseconds = min(2 * resumeMilliseconds, Self.rescanMilliseconds)
            return
        }
        guard now >= resumesAt else { return }
        self.resumesAt = nil
        tallied.refills &+= 1
        gap(.waiting)
        scan.stop()
        refill.resume()
    }

    private mutating func noticeEviction(_ now: Instant) {
        guard isSynced, cache.losses != lossesBefore else { return }
        isSynced = false
        reason = .cacheTooSmall
        rescanAt = now.advanced(byMilliseconds: Self.rescanMilliseconds)
    }

    private mutating func beginScanIfDue(_ now: Instant) {
        if scan.state == .failed, let rescanAt, now >= rescanAt { scan.stop() }
        guard !scan.isRunning, scan.state != .failed else { return }
        switch refill.phase {
        case .share, .rest: return
        case .scan:
            purpose = .refill
            scan.begin(now: now)
        case .none:
            let isDueAgain = rescanAt.map { now >= $0 } ?? false
            guard needsScan || isDueAgain, channel.lineage == lineage, !fleet.isRefilling, hearsAnnouncements,
                mayAnnounce, scan.state == .idle
            else { return }
            purpose = .sync
            needsScan = false
            rescanAt = nil
            lossesBefore = cache.losses
            scanBegan = now
            scan.begin(now: now)
        }
    }

    private mutating func endScanIfDue(_ now: Instant) {
        switch scan.state {
        case .failed:
            refill.scanEnded()
        case .ended where purpose == .refill:
            tallied.scans &+= 1
            scan.stop()
            refill.scanEnded()
        case .ended:
            // By then every replica has said whether it was refilling when the scan began.
            guard now >= scanBegan.advanced(byMilliseconds: count.presenceMilliseconds) else { return }
            tallied.scans &+= 1
            scan.stop()
            judgeScan(now)
        case .idle, .waiting, .asking, .reading: break
        }
    }

    /// The scan is complete; it is worth nothing if something was missed meanwhile.
    private mutating func judgeScan(_ now: Instant) {
        if needsScan { return }
        if cache.losses != lossesBefore {
            reason = .cacheTooSmall
        } else if fleet.hasUnannounced {
            reason = .unannounced
        } else {
            isSynced = true
            return
        }
        rescanAt = now.advanced(byMilliseconds: Self.rescanMilliseconds)
    }

    private mutating func dueActions(_ now: Instant) -> [Action] {
        var actions = scanActions(now)
        let (primary, primaries) = (primary, coherence.primaries)
        let (instance, others) = (instance, fleet.announcing)
        actions += refill.due(
            cache, coherence.offerThrottle, lineageBegan: channel.lineageBegan, now: now,
            isWanted: { primaries.primary(of: $0) == primary },
            isShare: { Self.isFirst(instance, among: others, for: $0) }
        ).map { .send($0) }
        if !hearsAnnouncements || !mayAnnounce { coherence.written.removeAll(primary: primary) }
        guard hearsAnnouncements else {
            announcer.removeAll()
            return actions
        }
        // A message that was refused is tried again, and shows whether others may be sent.
        guard mayAnnounce || now >= refusedUntil else { return actions }
        // Offers are silent, and a refill may be too short to be heard of: who scans meanwhile has to scan again.
        if refill.takeWritten() { coherence.written.leaveOut(primary: primary, now: now) }
        return actions + announcements(now)
    }

    private mutating func announcements(_ now: Instant) -> [Action] {
        announcer.due(coherence.written, primary: primary, replicas: count.atLeast, now: now)
            .map { [.announce($0.sessions, hasLeftOut: $0.hasLeftOut)] } ?? []
    }

    /// After an interruption all may be scanning, until the count of replicas is trusted.
    private func scanningReplicas(_ now: Instant) -> Int {
        guard generations > 1 else { return fleet.scanning + 1 }
        return isSettled(now) ? fleet.scanning + 1 : max(fleet.scanning + 1, count.atLeast)
    }

    /// Whether this replica comes before all others in the session's order of replicas.
    private static func isFirst(_ instance: UInt64, among others: [UInt64], for fingerprint: Fingerprint) -> Bool {
        let own = SplitMix.mixed(fingerprint.low ^ SplitMix.mixed(instance))
        return others.allSatisfy { SplitMix.mixed(fingerprint.low ^ SplitMix.mixed($0)) < own }
    }

    // MARK: Results

    /// A page of keys. Returns the reads of its first records.
    /// - Parameter next: the cursor of the page after it; 0 at the end.
    package mutating func scanned(_ fingerprints: [Fingerprint], next: UInt64, now: Instant) -> [Action] {
        let (primary, primaries) = (primary, coherence.primaries)
        scan.scanned(fingerprints.filter { primaries.primary(of: $0) == primary }, next: next)
        return scan.isPaid ? scanActions(now) : []
    }

    private mutating func scanActions(_ now: Instant) -> [Action] {
        switch scan.due(replicas: scanningReplicas(now), now: now) {
        case .scan(let cursor): [.scan(cursor: cursor)]
        case .read(let sessions): sessions.map { .send(.read($0)) }
        case nil: []
        }
    }

    /// - Parameter isFinal: the store refuses scans, or answers as Redis does not; else it did not answer.
    package mutating func scanFailed(isFinal: Bool, now: Instant) {
        scan.scanFailed(isFinal: isFinal, now: now)
        if scan.state == .failed { rescanAt = now.advanced(byMilliseconds: Self.refusalMilliseconds) }
    }

    /// The announcement was published, was refused for good, or got no reply. Returns what to announce next.
    package mutating func announced(isPublished: Bool, isRefused: Bool, now: Instant) -> [Action] {
        announcer.answered(isPublished: isPublished, now: now)
        if isRefused {
            mayAnnounce = false
            refusedUntil = now.advanced(byMilliseconds: Self.refusalMilliseconds)
        } else if isPublished {
            mayAnnounce = true
        }
        return isPublished && now < channel.liveUntil ? announcements(now) : []
    }

    /// The result of a read or an offer.
    package mutating func answered(
        _ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp, now: Instant
    ) -> [Action] {
        if case .read = operation {
            let isSlow = now > stamp.sentAt.advanced(byMilliseconds: max(1, budgetMilliseconds / 4))
            read(result, of: operation.fingerprint, stamp: stamp, isSlow: isSlow, now: now)
            return []
        }
        if let next = refill.answered(
            result, to: operation, stamp: stamp, cache, lineageBegan: channel.lineageBegan, now: now)
        {
            return [.send(next)]
        }
        coherence.offerThrottle.ended(
            isSlow: result.isSlow(stamp, budgetMilliseconds: budgetMilliseconds, now: now), now: now)
        return []
    }

    /// A record that somebody else has given no lifetime lives here as long as one that Limpet writes.
    private func bounded(_ record: StoredRecord) -> StoredRecord {
        guard record.remainingMilliseconds > Announcement.lifetimeMaxMilliseconds else { return record }
        return StoredRecord(
            record.binding, remainingMilliseconds: refill.restoredLifetimeMilliseconds,
            createdAtSeconds: record.createdAtSeconds)
    }

    private mutating func read(
        _ result: StoreResult, of fingerprint: Fingerprint, stamp: OperationStamp, isSlow: Bool, now: Instant
    ) {
        var isAnswered = stamp.isFromChannelServer && stamp.sentAt >= channel.generationBegan
        var isRecord = false
        switch result {
        case .record(let record):
            guard isAnswered else { break }
            isRecord = true
            tallied.scanned &+= 1
            cache.applyRead(
                bounded(record), of: fingerprint, sentAt: stamp.sentAt, lineageBegan: channel.lineageBegan, now: now)
        case .absent, .foreign, .written: break
        case .unavailable(.refused):
            scan.refuse()
            rescanAt = now.advanced(byMilliseconds: Self.refusalMilliseconds)
            return
        case .readOnly, .unavailable: isAnswered = false
        }
        scan.read(isAnswered: isAnswered, isRecord: isRecord, isSlow: isSlow, now: now)
    }
}
