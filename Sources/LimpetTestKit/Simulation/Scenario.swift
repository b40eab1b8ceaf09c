import Affinity

/// One run of the simulation, as a seed draws it: a fleet, its store, and everything that befalls them.
///
/// The choices are fixed before the run: whatever is left out of them, the others stay what they are.
package struct Scenario: Sendable {
    /// What kind of trouble there is.
    package enum Profile: String, Sendable, CaseIterable {
        /// Connections are lost, delayed and half-open; replicas pause.
        case connections
        /// Primaries die or are cut off; others take over, and lose what they had not heard.
        case failOver
        /// The store forgets: it is flushed, restarts empty, evicts, expires, is told to drop sessions.
        case losses
        /// Backends die, or are out of reach of some replicas; memberships change.
        case health
        /// All of it.
        case everything
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
    /// The primary stops to take writes before another can take over.
    var isGuarded = true
    /// The lag of its replica past which a guarded primary takes no writes.
    let guardLag: Moment = 1_000_000
    /// From the loss of a primary to the promotion of its replica.
    var downAfter: Moment = 3_000_000
    var settings = AffinitySettings()
    var cacheEntries = 1000
    var memberships: [[Backend]] = []
    var cookies: [Bool] = []
    /// By how much the clocks of the replicas run fast, in parts per million.
    var clockDrift: [Int64] = []
    /// By how many seconds their wall clocks are ahead.
    var wallOffset: [Int64] = []
    /// What a packet takes at least.
    var latency: Moment = 200
    package var choices: [Choice] = []

    /// - Parameters:
    ///   - steps: how many choices there are.
    ///   - profile: nil: drawn, too.
    package init(seed: UInt64, steps: Int, profile: Profile? = nil) {
        self.seed = seed
        var random = SeededRandom(seed: seed)
        let drawn = Profile.allCases[random.below(Profile.allCases.count)]
        self.profile = profile ?? drawn
        drawFleet(&random)
        drawSettings(&random)
        drawMemberships(&random)
        choices = draw(steps: steps, &random)
    }

    private mutating func drawFleet(_ random: inout SeededRandom) {
        replicaCount = [2, 3, 3, 3, 4][random.below(5)]
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
        // Clocks differ by no more than hints allow for.
        let tolerance = Int64(CookieRenewal(idleTimeoutMilliseconds: settings.idleTimeoutMilliseconds).tolerance)
        wallOffset = (0..<replicaCount).map { _ in random.int(0...min(2, tolerance)) }
        // A guard is one only as long as the inequality holds.
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
