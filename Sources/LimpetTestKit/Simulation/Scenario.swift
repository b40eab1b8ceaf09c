import Affinity

/// One run of the simulation, drawn from a seed: a fleet, its store, and everything that happens to them.
///
/// The choices are fixed before the run: if some of them are left out, the others do not change.
package struct Scenario: Sendable {
    /// The kinds of faults in a scenario.
    package enum Profile: String, Sendable, CaseIterable {
        /// Connections are lost, delayed and half-open; replicas pause.
        case connections
        /// Primaries die or are cut off; others take over, and lose the writes that they have not received.
        case failOver
        /// The store loses data: it is flushed, restarts empty, evicts, expires, and sessions are dropped.
        case losses
        /// Backends die, or are unreachable for some replicas; memberships change.
        case health
        /// All of these.
        case everything
        /// The store goes away for a time, for all replicas or for some, and comes back with its data or without.
        case outages
        /// Sessions are used for longer than a record lives, while touches fail.
        case touches
        /// Sentinels name the primary, and some of them lag, lie, or are out of reach; primaries freeze, are replaced
        /// meanwhile, and wake. It is not drawn from the seed.
        case sentinels
    }

    /// A backend of a membership.
    struct Backend: Sendable {
        let name: String
        var weight: UInt16 = 1
        var isDraining = false
    }

    let seed: UInt64
    package let profile: Profile
    var replicaCount = 3
    let loopCount = 2
    var primaryCount = 1
    var hasStandby = true
    /// Whether a primary stops accepting writes before another one can take over.
    var isGuarded = true
    /// The lag of its replica above which a guarded primary refuses writes.
    let guardLag: Moment = 1_000_000
    /// The time from the loss of a primary to the promotion of its replica.
    var downAfter: Moment = 3_000_000
    /// Nil if no Sentinels name the primary.
    var sentinelStore: SentinelStore?
    var settings = AffinitySettings()
    /// The replicas that are of the release before until they restart.
    var earlierReplicas: Set<Int> = []
    /// The replicas that may not announce until they restart.
    var refusedReplicas: Set<Int> = []
    var cacheEntries = 1000
    var memberships: [[Backend]] = []
    var cookies: [Bool] = []
    /// How fast the replicas' clocks run ahead, in parts per million.
    var clockDrift: [Int64] = []
    /// How many seconds the replicas' wall clocks are ahead.
    var wallOffset: [Int64] = []
    /// By how many seconds hints allow the clocks to differ at most.
    var clockTolerance: UInt32 = 120
    /// The minimum latency of a packet.
    var latency: Moment = 200
    package var choices: [Choice] = []

    /// - Parameters:
    ///   - steps: the number of choices.
    ///   - profile: nil: drawn from the seed.
    ///   - replicas: nil: drawn from the seed.
    package init(seed: UInt64, steps: Int, profile: Profile? = nil, replicas: Int? = nil) {
        self.seed = seed
        var random = SeededRandom(seed: seed)
        let drawn = Self.withoutOutages[random.below(Self.withoutOutages.count)]
        // Drawn apart, so that the scenarios of the other profiles stay what they are.
        var apart = SeededRandom(seed: seed ^ 0x0a7a_6e5)
        let isOutages = apart.percent(30)
        self.profile = profile ?? (isOutages ? .outages : Self.isOfTouches(seed: seed) ? .touches : drawn)
        drawFleet(&random, replicas: replicas)
        drawSettings(&random)
        drawMemberships(&random)
        drawStandby(&apart)
        switch self.profile {
        case .outages: choices = drawOutages(steps: steps, &apart)
        case .sentinels:
            drawSentinelStore(&apart)
            choices = drawSentinels(steps: steps, &apart)
        case .touches:
            drawTouchSettings(&apart)
            choices = drawTouches(steps: steps, &apart)
        case .connections, .failOver, .losses, .health, .everything: choices = draw(steps: steps, &random)
        }
        if apart.percent(25) { choices = sickened(choices, &apart) }
    }

    private static let withoutOutages = Profile.allCases.filter {
        $0 != .outages && $0 != .touches && $0 != .sentinels
    }

    private mutating func drawFleet(_ random: inout SeededRandom, replicas: Int?) {
        let drawn = [2, 3, 3, 3, 4][random.below(5)]
        replicaCount = replicas ?? drawn
        primaryCount = random.percent(15) ? 2 : 1
        hasStandby = profile == .failOver || random.percent(60)
        isGuarded = random.percent(60)
        latency = random.int(50...500)
        clockDrift = (0..<replicaCount).map { _ in random.int(-1000...1000) }
        let isCrowded = random.percent(20)
        cacheEntries = isCrowded ? 1 : 1000
        cookies = (0..<(isCrowded ? 24 : 6)).map { _ in random.percent(50) }
    }

    private mutating func drawSettings(_ random: inout SeededRandom) {
        let lease = random.int(200...500)
        let idle: Int64 = [2000, 5000, 30_000, 30_000][random.below(4)]
        settings = AffinitySettings(
            idleTimeoutMilliseconds: idle, absoluteTimeoutMilliseconds: random.percent(15) ? max(12_000, idle) : nil,
            onUnavailable: random.percent(80) ? .move : random.percent(50) ? .detour : .reject,
            leaseMilliseconds: lease,
            budgetMilliseconds: random.int(5...lease * 9 / 10))
        // The clocks differ by no more than hints tolerate.
        let tolerance = Int64(CookieRenewal(idleTimeoutMilliseconds: settings.idleTimeoutMilliseconds).tolerance)
        wallOffset = (0..<replicaCount).map { _ in random.int(0...min(2, tolerance)) }
        // The guard is effective only while this inequality holds.
        let least = guardLag + 1_000_000 + lease * 1002 + 20_000
        downAfter = isGuarded ? least + random.int(0...500_000) : random.int(200_000...2_500_000)
    }

    private mutating func drawMemberships(_ random: inout SeededRandom) {
        let count = 3 + random.below(3)
        var backends = (0..<count).map { Backend(name: "web-\($0 + 1)") }
        if random.percent(30) { backends[0].weight = 3 }
        memberships = [backends]
        for version in 1...2 {
            var next = backends
            switch random.below(4) {
            case 0: next.append(Backend(name: "late-\(version)"))
            case 1: next.remove(at: random.below(next.count))
            case 2: next[random.below(next.count)].isDraining = true
            case _: next[random.below(next.count)].weight += 1
            }
            memberships.append(next)
            if random.percent(50) { backends = next }
        }
    }
}
