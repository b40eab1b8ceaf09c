import LimpetTestKit

@testable import Affinity

/// Replicas that have much to tell to a store, a store that takes a while for each operation, and a clock: how much
/// they tell it, and when.
struct OfferCrowd {
    struct Replica {
        let coherence: Coherence
        let cache: BindingCache
        var standby: Standby
        var loops: [SessionAffinity]
        var nextTick: Instant
    }

    private enum Sender {
        case loop(Int)
        case standby
    }

    private struct InFlight {
        let replica: Int
        let sender: Sender
        let operation: StoreOperation
        let sentAt: Instant
        let answeredAt: Instant
    }

    private static let budgetMilliseconds: Int64 = 20
    private(set) var replicas: [Replica] = []
    private(set) var now = Instant(nanoseconds: 1_000_000_000_000)
    /// What the store needs for an operation.
    var microsecondsEach: Int64 = 10
    /// How many others each replica hears.
    var hears: Int
    private let heard: Int
    private var status: Coherence.Status
    private var isUp = true
    private var busyUntil = Instant(nanoseconds: 0)
    private var inFlight = BoundedQueue<InFlight>(capacity: 1_000_000)
    private var random = Random(seed: 100)
    private let guesses: Int
    private var expected: Set<Fingerprint> = []
    private(set) var told: Set<Fingerprint> = []
    /// Since the store came back.
    private var cameBack = Instant(nanoseconds: 0)
    private(set) var sentEachSecond: [Int] = []
    private(set) var longestAnswer: Int64 = 0

    /// - Parameters:
    ///   - guesses: how many sessions each loop guesses at while the store is away.
    ///   - known: how many sessions each replica knows that the store will have lost.
    init(replicas count: Int, loops: Int, guesses: Int, known: Int, heard: Int? = nil) throws {
        self.guesses = guesses
        self.heard = heard ?? count - 1
        hears = self.heard
        status = Coherence.Status(
            liveUntil: now, generationBegan: now, lineage: 1, lineageBegan: now, eras: 1)
        let membership = try PlacementTests.membership(Fleet.names)
        for index in 0..<count {
            let cache = BindingCache(entries: 4 * (known + loops * guesses) + 100, shards: 1)
            let coherence = Coherence(primaries: 1)
            let affinity = SessionAffinity(
                membership: membership, cache: cache, coherence: coherence,
                health: HealthTable(count: membership.count, judgesAlone: true),
                settings: AffinitySettings(budgetMilliseconds: Self.budgetMilliseconds))
            replicas.append(
                Replica(
                    coherence: coherence, cache: cache,
                    standby: Standby(
                        instance: UInt64(index + 1), cache: cache, coherence: coherence,
                        budgetMilliseconds: Self.budgetMilliseconds, now: now),
                    loops: Array(repeating: affinity, count: loops), nextTick: now))
        }
        live(for: 1000)
        for index in replicas.indices {
            for _ in 0..<known { know(random.fingerprint(), at: index) }
        }
        sentEachSecond = []
    }

    var isAllTold: Bool { told.isSuperset(of: expected) }

    private mutating func know(_ session: Fingerprint, at index: Int) {
        expected.insert(session)
        let binding = Binding(backend: replicas[index].loops[0].membership.backends[0].hash, epoch: 1)
        replicas[index].cache.store(
            BindingCache.Entry(
                binding: binding, kind: .confirmed, confirmedAt: now,
                expiresAt: now.advanced(byMilliseconds: 10_000_000)),
            for: session, now: now)
    }

    /// The store is away for a time, and comes back empty.
    mutating func decideWithoutStore(for milliseconds: Int64) {
        (isUp, hears) = (false, 0)
        status = Coherence.Status(
            liveUntil: .distantPast, generationBegan: .distantFuture, lineage: status.lineage,
            lineageBegan: status.lineageBegan, eras: status.eras)
        tell()
        let end = now.advanced(byMilliseconds: milliseconds)
        for index in replicas.indices {
            for loop in replicas[index].loops.indices {
                for _ in 0..<guesses {
                    var decision = Decision(fingerprint: random.fingerprint())
                    _ = replicas[index].loops[loop].begin(&decision, storeIsAvailable: false, now: now)
                    expected.insert(decision.fingerprint)
                }
            }
        }
        while now < end {
            now = now.advanced(byMilliseconds: 1000)
            for index in replicas.indices { tick(index) }
        }
        isUp = true
        hears = heard
        status = Coherence.Status(
            liveUntil: now, generationBegan: now, lineage: status.lineage + 1, lineageBegan: now,
            eras: status.eras + 1)
        (cameBack, sentEachSecond, longestAnswer) = (now, [], 0)
        tell()
    }

    mutating func live(for milliseconds: Int64) {
        let end = now.advanced(byMilliseconds: milliseconds)
        while now < end {
            now = now.advanced(byMilliseconds: OfferThrottle.tickMilliseconds)
            deliver()
            status.liveUntil = now.advanced(byMilliseconds: 500)
            for index in replicas.indices {
                if now >= replicas[index].nextTick { tick(index) }
                offer(index)
            }
        }
    }

    private mutating func tell() {
        for index in replicas.indices { tell(index) }
    }

    private mutating func tell(_ index: Int) {
        let echoedBeatSentAt = status.liveUntil > now ? now : nil
        replicas[index].standby.channelChanged(
            to: status, echoedBeatSentAt: echoedBeatSentAt, hearsAnnouncements: true, now: now)
        replicas[index].coherence.publish(status)
    }

    private mutating func tick(_ index: Int) {
        tell(index)
        var fleet = FleetStandby()
        fleet.heard = hears
        fleet.announcing = (0..<replicas.count).filter { $0 != index }.map { UInt64($0 + 1) }
        let actions = replicas[index].standby.tick(fleet: fleet, storeIsAvailable: isUp, now: now)
        perform(actions, index)
        replicas[index].nextTick = now.advanced(byMilliseconds: replicas[index].standby.isBusy ? 5 : 50)
    }

    private mutating func perform(_ actions: [Standby.Action], _ index: Int) {
        for action in actions {
            switch action {
            case .scan: perform(replicas[index].standby.scanned([], next: 0, now: now), index)
            case .send(let operation): send(operation, from: .standby, of: index)
            case .announce:
                perform(
                    replicas[index].standby.announced(isPublished: true, isRefused: false, now: now), index)
            }
        }
    }

    /// What `OfferScheduler` does.
    private mutating func offer(_ index: Int) {
        guard isUp else { return }
        let pace = replicas[index].coherence.offerThrottle
        for loop in replicas[index].loops.indices where replicas[index].loops[loop].hasOffers {
            var left = pace.take(100, now: now)
            while left > 0, let operation = replicas[index].loops[loop].nextOffer(now: now, where: { _ in true }) {
                send(operation, from: .loop(loop), of: index)
                left -= 1
            }
            pace.giveBack(left)
        }
    }

    private mutating func send(_ operation: StoreOperation, from sender: Sender, of index: Int) {
        let second = Int(now.milliseconds(since: cameBack) / 1000)
        while sentEachSecond.count <= second { sentEachSecond.append(0) }
        sentEachSecond[second] += 1
        busyUntil = Instant(nanoseconds: max(busyUntil.nanoseconds, now.nanoseconds) + microsecondsEach * 1000)
        inFlight.append(
            InFlight(replica: index, sender: sender, operation: operation, sentAt: now, answeredAt: busyUntil))
    }

    private mutating func deliver() {
        while let first = inFlight.first, first.answeredAt <= now, inFlight.popFirst() != nil {
            longestAnswer = max(longestAnswer, first.answeredAt.milliseconds(since: first.sentAt))
            told.insert(first.operation.fingerprint)
            let stamp = OperationStamp(sentAt: first.sentAt, isFromChannelServer: true)
            switch first.sender {
            case .standby:
                let next = replicas[first.replica].standby.answered(
                    .written, to: first.operation, stamp: stamp, now: first.answeredAt)
                perform(next, first.replica)
            case .loop(let loop):
                _ = replicas[first.replica].loops[loop].storeAnsweredInBackground(
                    .written, to: first.operation, stamp: stamp, now: now)
                let isSlow = StoreResult.written.isSlow(
                    stamp, budgetMilliseconds: Self.budgetMilliseconds, now: first.answeredAt)
                replicas[first.replica].coherence.offerThrottle.ended(isSlow: isSlow, now: first.answeredAt)
            }
        }
    }
}
