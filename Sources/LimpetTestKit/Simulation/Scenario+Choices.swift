import Affinity

extension Scenario {
    /// An event that the scenario imposes on the fleet. Between two choices the simulation runs freely.
    package struct Choice: Sendable {
        let at: Moment
        /// Seeds the randomness that follows, until the next choice.
        let salt: UInt64
        let action: Action
    }

    /// A connection.
    struct Wire: Sendable {
        let replica: Int
        let primary: Int
        let kind: SimulatedConnection.Kind
    }

    enum Action: Sendable {
        case request(client: Int, replica: Int, loop: Int)
        /// The same session at every replica and loop at once.
        case burst(client: Int)
        /// A cookie that does not open.
        case forgery(client: Int, replica: Int)
        /// The client has lost its cookie, or begins another session.
        case forget(client: Int)
        /// The next cookie that a response sets does not arrive.
        case loseCookie(client: Int)
        case drop(client: Int, replica: Int)
        case cut(Wire)
        case halfOpen(Wire)
        case delay(Wire, by: Moment, lasting: Moment)
        /// The primary answers nothing.
        case stall(primary: Int, lasting: Moment)
        case pause(replica: Int, lasting: Moment)
        case restartReplica(Int, membership: Int)
        case crash(primary: Int, isSilent: Bool)
        /// The primary is cut off from its replica, and only these replicas of Limpet can reach it.
        case partition(primary: Int, reachableBy: Int)
        case heal(primary: Int)
        case replicationLag(primary: Int, by: Moment)
        case restart(primary: Int, isEmpty: Bool)
        case flush(primary: Int)
        case evict(client: Int)
        case evictEra(primary: Int)
        case foreign(client: Int)
        case memoryFull(primary: Int, lasting: Moment)
        /// The primary's process ends, and another begins later.
        case outage(primary: Int, lasting: Moment, isEmpty: Bool)
        /// These replicas do not reach the primary.
        case hide(primary: Int, from: Set<Int>, lasting: Moment)
        /// The replica's next announcement leaves sessions out.
        case leaveOut(replica: Int)
        case breakBackend(Int)
        case mendBackend(Int)
        case cutBackend(Int, replica: Int)
        case reachBackend(Int, replica: Int)
        case sentinel(_ primary: Int, SentinelAction)
        /// The backend's health checks fail: for one replica, or for all. It serves nevertheless.
        case sickenBackend(Int, replica: Int?)
    }

    func draw(steps: Int, _ random: inout SeededRandom) -> [Choice] {
        // The fleet starts first.
        var now: Moment = 1_000_000
        var choices: [Choice] = []
        var favourite = 0
        for _ in 0..<steps {
            now += gap(&random)
            if random.percent(5) { favourite = random.below(cookies.count) }
            let client = random.percent(50) ? favourite : random.below(cookies.count)
            if random.percent(3) {
                for (delay, action) in pattern(client, &random) {
                    choices.append(Choice(at: now + delay, salt: random.next(), action: action))
                    now += delay
                }
            } else {
                let salt = random.next()
                choices.append(Choice(at: now, salt: salt, action: action(client, &random)))
            }
        }
        return choices
    }

    /// Sequences that random choices would rarely produce. Each pair is a delay and the action after it.
    private func pattern(_ client: Int, _ random: inout SeededRandom) -> [(Moment, Action)] {
        let replica = random.below(replicaCount)
        let loop = random.below(loopCount)
        let request = Action.request(client: client, replica: replica, loop: loop)
        let wire = Wire(replica: replica, primary: random.below(primaryCount), kind: .data(loop: loop))
        let late = random.int(settings.budgetMilliseconds * 200...settings.budgetMilliseconds * 490)
        let forget = Action.forget(client: client)
        switch random.below(4) {
        case 0:
            // A result is in flight while the session is dropped.
            let drop = Action.drop(client: client, replica: (replica + 1) % replicaCount)
            return [
                (0, forget), (100, .delay(wire, by: late, lasting: late * 2)), (100, request), (late + 2000, drop),
                (late + 100_000, request),
            ]
        case 1:
            // A result is late, and its session returns when the record is about to expire.
            let lifetimeMilliseconds = settings.recordLifetimeMilliseconds * 1000
            return [
                (0, forget), (100, .delay(wire, by: late, lasting: late * 2)), (100, request),
                (
                    lifetimeMilliseconds > 4_000_000
                        ? late : lifetimeMilliseconds + late + random.int(9000...max(9000, late - 60_000)), request
                ),
            ]
        case 2:
            // A result is in flight while the subscription is lost, and the session is dropped before the next
            // subscription.
            let hearing = Wire(replica: replica, primary: wire.primary, kind: .subscriber)
            return [
                (0, forget), (100, .delay(wire, by: late, lasting: late * 2)), (100, request),
                (late + 2000, .cut(hearing)), (1000, .drop(client: client, replica: (replica + 1) % replicaCount)),
                (late + 200_000, request), (300_000, request),
            ]
        case _:
            // The channel is delayed while one of its listeners moves a session.
            let hearing = Wire(replica: replica, primary: wire.primary, kind: .subscriber)
            return [
                (0, .delay(hearing, by: random.int(50_000...400_000), lasting: 600_000)), (1000, request),
                (2000, .drop(client: client, replica: (replica + 1) % replicaCount)),
                (random.int(1000...300_000), .request(client: client, replica: replica, loop: 1 - loop)),
            ]
        }
    }

    private func gap(_ random: inout SeededRandom) -> Moment {
        switch random.below(100) {
        case 0..<60: random.int(100...20_000)
        case 60..<90: random.int(20_000...150_000)
        case 90..<99: random.int(150_000...600_000)
        case _: random.int(600_000...3_000_000)
        }
    }

    private func action(_ client: Int, _ random: inout SeededRandom) -> Action {
        switch random.below(100) {
        case 0..<68: .request(client: client, replica: random.below(replicaCount), loop: random.below(loopCount))
        case 68..<74: .burst(client: client)
        case 74: .forget(client: client)
        case 75: .forgery(client: client, replica: random.below(replicaCount))
        case _: trouble(client, &random)
        }
    }

    private func trouble(_ client: Int, _ random: inout SeededRandom) -> Action {
        let kinds: [Profile] = profile == .everything ? [.connections, .failOver, .losses, .health] : [profile]
        let kind = kinds[random.below(kinds.count)]
        // Every profile also has connection faults.
        if random.percent(12) { return ofConnections(&random) }
        return switch kind {
        case .connections, .everything, .outages, .sentinels, .touches: ofConnections(&random)
        case .failOver: random.percent(50) ? ofServers(&random) : ofConnections(&random)
        case .losses: ofRecords(client, &random)
        case .health: ofBackends(&random)
        }
    }

    private func ofConnections(_ random: inout SeededRandom) -> Action {
        let kind: SimulatedConnection.Kind =
            random.percent(50) ? .subscriber : .data(loop: random.below(loopCount))
        let wire = Wire(replica: random.below(replicaCount), primary: random.below(primaryCount), kind: kind)
        switch random.below(12) {
        case 0...2: return .cut(wire)
        case 3...4: return .halfOpen(wire)
        case 5...7: return .delay(wire, by: random.int(1000...400_000), lasting: random.int(50_000...1_500_000))
        case 8...9: return .pause(replica: wire.replica, lasting: random.int(5000...1_500_000))
        case 10: return .stall(primary: wire.primary, lasting: random.int(5000...800_000))
        case _: return .restartReplica(wire.replica, membership: 0)
        }
    }

    private func ofServers(_ random: inout SeededRandom) -> Action {
        let primary = random.below(primaryCount)
        switch random.below(10) {
        case 0...1: return .crash(primary: primary, isSilent: random.percent(50))
        case 2...3: return .partition(primary: primary, reachableBy: random.below(1 << replicaCount))
        case 4...6: return .heal(primary: primary)
        case 7...8: return .replicationLag(primary: primary, by: random.int(0...700_000))
        case _: return .restart(primary: primary, isEmpty: random.percent(50))
        }
    }

    private func ofRecords(_ client: Int, _ random: inout SeededRandom) -> Action {
        let primary = random.below(primaryCount)
        switch random.below(12) {
        case 0...2: return .flush(primary: primary)
        case 3: return .restart(primary: primary, isEmpty: random.percent(60))
        case 4...5: return .evict(client: client)
        case 6...8: return .drop(client: client, replica: random.below(replicaCount))
        case 9: return .foreign(client: client)
        case 10: return .memoryFull(primary: primary, lasting: random.int(50_000...2_000_000))
        case _: return .evictEra(primary: primary)
        }
    }

    /// The choices with some backends failing their health checks instead of being out of reach.
    func sickened(_ choices: [Choice], _ apart: inout SeededRandom) -> [Choice] {
        choices.map { choice in
            let action: Action? =
                switch choice.action {
                case .breakBackend(let backend) where apart.percent(60): .sickenBackend(backend, replica: nil)
                case .cutBackend(let backend, let replica) where apart.percent(60):
                    .sickenBackend(backend, replica: replica)
                default: nil
                }
            return action.map { Choice(at: choice.at, salt: choice.salt, action: $0) } ?? choice
        }
    }

    private func ofBackends(_ random: inout SeededRandom) -> Action {
        let backend = random.below(memberships[0].count)
        let replica = random.below(replicaCount)
        switch random.below(12) {
        case 0...2: return .breakBackend(backend)
        case 3...5: return .mendBackend(backend)
        case 6...7: return .cutBackend(backend, replica: replica)
        case 8...9: return .reachBackend(backend, replica: replica)
        case _: return .restartReplica(replica, membership: random.below(memberships.count))
        }
    }
}
