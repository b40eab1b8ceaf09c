import Affinity

/// The store of a scenario in which Sentinels name the primary.
struct SentinelStore: Sendable {
    /// The Sentinels of each primary: three or five.
    var sentinelCount = 3
    /// The servers that follow a primary: one or two.
    var followerCount = 1
    /// How many of them a primary needs to accept writes: `min-replicas-to-write`.
    var demandedFollowers = 0
    /// Whether other servers soon follow a promoted primary, in place of the former one.
    var hasSpares = false

    /// The largest number of Sentinels that is less than a majority.
    var minority: Int { (sentinelCount - 1) / 2 }
}

/// What the profile `sentinels` is made of.
extension Scenario {
    /// What happens to a primary that Sentinels watch, and to the Sentinels.
    enum SentinelAction: Sendable {
        /// The primary is frozen. If it stays so for long, another takes its place.
        case freeze(lasting: Moment)
        /// The primary is cut off from the Sentinels and from its followers, except from the last one if that is a
        /// companion, and from all replicas but these.
        case sever(reachableBy: Int, hasCompanion: Bool, lasting: Moment)
        /// The primary's process ends. Another begins later at the same address.
        case fall(isSilent: Bool, isEmpty: Bool, lasting: Moment)
        /// So many Sentinels, never a majority, name this server at an epoch that differs from the true one.
        case lie(count: Int, Lie, epoch: Int64, lasting: Moment)
        /// These Sentinels are out of reach for these replicas.
        case hide(Set<Int>, from: Set<Int>, lasting: Moment)
        /// These Sentinels restart with what they knew before the last fail-over.
        case restart(Set<Int>)
    }

    enum Lie: Sendable, CaseIterable {
        /// A primary of somebody else.
        case stranger
        /// A server that follows the primary.
        case follower
        /// The former primary if there is one, or the primary itself.
        case former
        /// The primary itself.
        case primary
    }

    mutating func drawSentinelStore(_ random: inout SeededRandom) {
        var store = SentinelStore()
        store.sentinelCount = random.percent(60) ? 3 : 5
        store.followerCount = random.percent(50) ? 1 : 2
        store.demandedFollowers = [0, 1, store.followerCount, store.followerCount][random.below(4)]
        store.hasSpares = random.percent(60)
        hasStandby = true
        isGuarded = store.demandedFollowers == store.followerCount
        let least = guardLag + 1_000_000 + settings.leaseMilliseconds * 1002 + 20_000
        downAfter =
            store.demandedFollowers > 0 ? least + random.int(0...500_000) : random.int(1_600_000...3_000_000)
        sentinelStore = store
    }

    func drawSentinels(steps: Int, _ random: inout SeededRandom) -> [Choice] {
        var now: Moment = 2_000_000
        var choices: [Choice] = []
        while choices.count < steps {
            now += random.percent(70) ? random.int(100...30_000) : random.int(30_000...400_000)
            let client = random.below(cookies.count)
            let series =
                random.percent(5) ? sentinelSeries(client, &random) : [(Moment(0), sentinelStep(client, &random))]
            for (delay, action) in series {
                now += delay
                choices.append(Choice(at: now, salt: random.next(), action: action))
            }
        }
        return choices
    }

    private func sentinelStep(_ client: Int, _ random: inout SeededRandom) -> Action {
        let replica = random.below(replicaCount)
        let primary = random.below(primaryCount)
        let kind: SimulatedConnection.Kind =
            random.percent(50) ? .subscriber : .data(loop: random.below(loopCount))
        let wire = Wire(replica: replica, primary: primary, kind: kind)
        let backend = random.below(memberships[0].count)
        return switch random.below(100) {
        case 0..<72: .request(client: client, replica: replica, loop: random.below(loopCount))
        case 72..<75: .burst(client: client)
        case 75..<78: .drop(client: client, replica: replica)
        case 78..<80: .forget(client: client)
        case 80..<83: .breakBackend(backend)
        case 83..<86: .mendBackend(backend)
        case 86: .cut(wire)
        case 87: .halfOpen(wire)
        case 88..<90: .delay(wire, by: random.int(1000...300_000), lasting: random.int(50_000...1_000_000))
        case 90: .pause(replica: replica, lasting: random.int(5000...1_500_000))
        case 91: .restartReplica(replica, membership: 0)
        case 92: .replicationLag(primary: primary, by: random.int(0...500_000))
        case 93: .sentinel(primary, .fall(isSilent: random.percent(50), isEmpty: random.percent(50), lasting: 300_000))
        case _: .sentinel(primary, sentinelTrouble(&random))
        }
    }

    private func sentinelTrouble(_ random: inout SeededRandom) -> SentinelAction {
        let store = sentinelStore ?? SentinelStore()
        let lasting = random.int(500_000...12_000_000)
        switch random.below(5) {
        case 0...1:
            let epoch: Int64 = [-1, 0, 1, 1_000_000][random.below(4)]
            let lie = Lie.allCases[random.below(Lie.allCases.count)]
            return .lie(count: 1 + random.below(store.minority), lie, epoch: epoch, lasting: lasting)
        case 2...3:
            let hidden = (0..<store.sentinelCount).filter { _ in random.percent(50) }
            let replicas = (0..<replicaCount).filter { _ in random.percent(50) }
            return .hide(Set(hidden), from: Set(replicas), lasting: lasting)
        case _: return .restart(Set((0..<store.sentinelCount).filter { _ in random.percent(50) }))
        }
    }

    /// Each pair is a delay and the action after it.
    private func sentinelSeries(_ client: Int, _ random: inout SeededRandom) -> [(Moment, Action)] {
        let primary = random.below(primaryCount)
        let lasting = downAfter + random.int(0...4_000_000)
        var before: [(Moment, Action)] = []
        if random.percent(50) { before.append((0, .sentinel(primary, sentinelTrouble(&random)))) }
        if random.percent(25) { before.append((random.int(0...200_000), hiddenMajority(primary, &random))) }
        switch random.below(8) {
        case 0...3:
            // Requests on both sides of the waking, with moves at the new primary before it.
            switch random.below(10) {
            case 0...1: before.append((100, idleCut(primary, &random)))
            case 2:
                let pause = lasting + random.int(-100_000...500_000)
                before.append((100, .pause(replica: random.below(replicaCount), lasting: pause)))
            case _: break
            }
            return before + [(random.int(1000...100_000), .sentinel(primary, .freeze(lasting: lasting)))]
                + movesAndWaking(client, lasting, &random)
        case 4:
            let short = random.int(100_000...downAfter)
            return before + [(1000, .sentinel(primary, .freeze(lasting: short)))] + requests(short * 2, 10, &random)
        case 5...6:
            let sever = SentinelAction.sever(
                reachableBy: random.below(1 << replicaCount), hasCompanion: random.percent(50), lasting: lasting)
            return before + [(1000, .sentinel(primary, sever))] + movesAndWaking(client, lasting, &random)
        case _:
            let fall = SentinelAction.fall(
                isSilent: random.percent(50), isEmpty: random.percent(50), lasting: lasting)
            return before + [(1000, .sentinel(primary, fall))] + movesAndWaking(client, lasting, &random)
        }
    }

    /// One replica does not reach a majority of the Sentinels for a time.
    private func hiddenMajority(_ primary: Int, _ random: inout SeededRandom) -> Action {
        let store = sentinelStore ?? SentinelStore()
        let hidden = Set(0...store.minority)
        return .sentinel(
            primary, .hide(hidden, from: [random.below(replicaCount)], lasting: random.int(4_000_000...20_000_000)))
    }

    private func idleCut(_ primary: Int, _ random: inout SeededRandom) -> Action {
        .cut(Wire(replica: random.below(replicaCount), primary: primary, kind: .data(loop: 0)))
    }

    /// Moves while the primary is away, and requests shortly before and after it is back.
    private func movesAndWaking(
        _ client: Int, _ lasting: Moment, _ random: inout SeededRandom
    ) -> [(Moment, Action)] {
        let backend = random.below(memberships[0].count)
        let early = random.int(500...settings.budgetMilliseconds * 1000)
        let first = lasting / 3
        var series: [(Moment, Action)] = [(first, .breakBackend(backend))]
        series += requests(lasting / 3, 6, &random)
        series.append((100, .mendBackend(backend)))
        let spent = series.reduce(0) { $0 + $1.0 }
        // They wait in the sockets when the server wakes.
        series.append((max(0, lasting - early - spent), .burst(client: client)))
        if random.percent(10) { series.append((100, .restartReplica(random.below(replicaCount), membership: 0))) }
        series.append((early * 2 / 3, .burst(client: random.below(cookies.count))))
        return series + requests(random.int(1_000_000...14_000_000), 24, &random)
    }

    /// Requests of several clients at several replicas, within a time.
    private func requests(_ lasting: Moment, _ count: Int, _ random: inout SeededRandom) -> [(Moment, Action)] {
        (0..<count).map { _ in
            (
                random.int(500...max(1000, lasting * 2 / Int64(count))),
                .request(
                    client: random.below(cookies.count), replica: random.below(replicaCount),
                    loop: random.below(loopCount))
            )
        }
    }
}
