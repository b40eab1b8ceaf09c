import Affinity

/// What the profile `touches` is made of: clients with the affinity cookie that come back for longer than a record
/// lives, at any replica, while touches fail and cookies get lost.
extension Scenario {
    /// Drawn apart, so that the scenarios of the other profiles stay what they are.
    static func isOfTouches(seed: UInt64) -> Bool {
        var apart = SeededRandom(seed: seed ^ 0x70c4_e5)
        return apart.percent(8)
    }

    /// Short timeouts, and clocks that differ by no more than hints then allow for.
    mutating func drawTouchSettings(_ random: inout SeededRandom) {
        let isShort = random.percent(50)
        settings = AffinitySettings(
            idleTimeoutMilliseconds: isShort ? 15_000 : 30_000, leaseMilliseconds: settings.leaseMilliseconds,
            budgetMilliseconds: settings.budgetMilliseconds)
        clockTolerance = isShort ? 0 : 2
        wallOffset = (0..<replicaCount).map { _ in random.int(0...Int64(clockTolerance)) }
        cacheEntries = 1000
        cookies = [true, true, true, true, true, false]
    }

    func drawTouches(steps: Int, _ random: inout SeededRandom) -> [Choice] {
        var now: Moment = 1_000_000
        return (0..<steps).map { _ in
            now += touchGap(&random)
            let salt = random.next()
            return Choice(at: now, salt: salt, action: touchStep(&random))
        }
    }

    private func touchGap(_ random: inout SeededRandom) -> Moment {
        let idle = settings.idleTimeoutMilliseconds * 1000
        return switch random.below(100) {
        case 0..<70: random.int(10_000...400_000)
        case 70..<97: random.int(400_000...2_000_000)
        case _: random.int(idle / 2...idle * 98 / 100)
        }
    }

    private func touchStep(_ random: inout SeededRandom) -> Action {
        let client = random.below(cookies.count)
        let replica = random.below(replicaCount)
        let primary = random.below(primaryCount)
        let wire = Wire(replica: replica, primary: primary, kind: .data(loop: random.below(loopCount)))
        // Past the budget, and often so late that the connection is given up.
        let budget = settings.budgetMilliseconds * 1000
        let late = random.int(budget...3 * budget)
        return switch random.below(100) {
        case 0..<75: .request(client: client, replica: replica, loop: random.below(loopCount))
        case 75..<80: .loseCookie(client: client)
        case 80..<86: .delay(wire, by: late, lasting: random.int(200_000...3_000_000))
        case 86..<90: .cut(wire)
        case 90..<92: .stall(primary: primary, lasting: random.int(5000...800_000))
        case 92..<94: .pause(replica: replica, lasting: random.int(5000...1_500_000))
        case 94: .forget(client: client)
        case 95: .burst(client: client)
        case _: .hide(primary: primary, from: [replica], lasting: random.int(200_000...5_000_000))
        }
    }
}
