import Affinity

/// What the profile `outages` is made of.
extension Scenario {
    mutating func drawStandby(_ random: inout SeededRandom) {
        if random.percent(8) { earlierReplicas = [random.below(replicaCount)] }
        if random.percent(4) { refusedReplicas = [random.below(replicaCount)] }
        guard profile == .outages else { return }
        hasStandby = random.percent(25)
    }

    func release(of replica: Int, life: Int) -> SimulatedStandby.Release {
        guard life == 0 else { return .present }
        return earlierReplicas.contains(replica) ? .before : refusedReplicas.contains(replica) ? .refused : .present
    }

    func drawOutages(steps: Int, _ random: inout SeededRandom) -> [Choice] {
        // The replicas scan the empty store first.
        var now: Moment = 3_000_000
        var choices: [Choice] = []
        while choices.count < steps {
            now += random.percent(70) ? random.int(100...30_000) : random.int(30_000...300_000)
            let client = random.below(cookies.count)
            var series: [(Moment, Action)] = []
            if random.percent(4) {
                series = outageSeries(client, &random)
            } else {
                series = [(Moment(0), outageStep(client, &random))]
            }
            for (delay, action) in series {
                now += delay
                choices.append(Choice(at: now, salt: random.next(), action: action))
            }
        }
        return choices
    }

    private func outageStep(_ client: Int, _ random: inout SeededRandom) -> Action {
        let replica = random.below(replicaCount)
        let backend = random.below(memberships[0].count)
        return switch random.below(100) {
        case 0..<75: .request(client: client, replica: replica, loop: random.below(loopCount))
        case 75..<78: .burst(client: client)
        case 78..<81: .drop(client: client, replica: replica)
        case 81..<83: .forget(client: client)
        case 83..<86: .breakBackend(backend)
        case 86..<89: .mendBackend(backend)
        case 89: .leaveOut(replica: replica)
        case 90: .restartReplica(replica, membership: 0)
        case 91: .pause(replica: replica, lasting: random.int(5000...1_500_000))
        case 92: .evictEra(primary: random.below(primaryCount))
        case 93: .flush(primary: random.below(primaryCount))
        case 94..<96: .cut(wire(replica, .subscriber, &random))
        case 96..<98: .cut(wire(replica, .data(loop: random.below(loopCount)), &random))
        case _: .delay(wire(replica, .subscriber, &random), by: random.int(1000...200_000), lasting: 500_000)
        }
    }

    private func wire(
        _ replica: Int, _ kind: SimulatedConnection.Kind, _ random: inout SeededRandom
    ) -> Wire {
        Wire(replica: replica, primary: random.below(primaryCount), kind: kind)
    }

    /// Each pair is a delay and the action after it.
    private func outageSeries(_ client: Int, _ random: inout SeededRandom) -> [(Moment, Action)] {
        let (replica, primary) = (random.below(replicaCount), random.below(primaryCount))
        let other = (replica + 1) % replicaCount
        let request = Action.request(client: client, replica: replica, loop: random.below(loopCount))
        // Every other outage is short, every fourth longer than a lifetime.
        let lifetime = min(settings.recordLifetimeMilliseconds * 1000, 9_000_000)
        let lasting =
            random.percent(50)
            ? random.int(200_000...3_000_000) : random.int(2_000_000...lifetime * 3 / 2 + 2_000_000)
        let outage = Action.outage(primary: primary, lasting: lasting, isEmpty: random.percent(50))
        switch random.below(10) {
        case 0...1:
            // Everybody serves everybody's sessions during the outage, and after it.
            return [(random.int(0...2_500_000), outage)] + tour(lasting, &random)
                + [(lasting / 2 + 200_000, .burst(client: client))]
        case 2:
            // A replica restarts in the outage.
            return [(0, outage), (lasting / 2, .restartReplica(other, membership: 0))] + tour(lasting, &random)
        case 3:
            // Some do not reach the store, in which others go on.
            let hidden = Set((0..<replicaCount).filter { _ in random.percent(50) }).union([replica])
            return [(0, .hide(primary: primary, from: hidden, lasting: lasting))] + tour(lasting, &random)
        case 4:
            // A write whose announcement does not come back, or does not arrive.
            return [
                (0, .forget(client: client)), (100, request), (100, request),
                (random.int(1000...120_000), .cut(Wire(replica: replica, primary: primary, kind: .data(loop: 0)))),
                (random.int(10_000...1_500_000), outage),
                (20_000, .request(client: client, replica: other, loop: 0)),
            ]
        case 5:
            // A gap of the subscription with a move in it, followed by a scan and an outage.
            let hearing = Wire(replica: other, primary: primary, kind: .subscriber)
            return [
                (0, request), (10_000, .cut(hearing)), (1000, .drop(client: client, replica: replica)),
                (10_000, request), (random.int(100_000...3_000_000), outage),
                (20_000, .request(client: client, replica: other, loop: 0)),
            ]
        case 6:
            // A backend is down in the outage, and another outage follows.
            let backend = random.below(memberships[0].count)
            return [(0, outage), (lasting / 3, .breakBackend(backend))] + tour(lasting / 2, &random)
                + [(lasting, .mendBackend(backend)), (random.int(10_000...4_000_000), outage)]
                + tour(lasting, &random)
        case _:
            return keySeries(client, request, outage, lasting, &random)
        }
    }

    /// Series in which a key begins anew, or pages are late.
    private func keySeries(
        _ client: Int, _ request: Action, _ outage: Action, _ lasting: Moment, _ random: inout SeededRandom
    ) -> [(Moment, Action)] {
        guard case .request(_, let replica, _) = request, case .outage(let primary, _, _) = outage else { return [] }
        let other = (replica + 1) % replicaCount
        let lifetime = min(settings.recordLifetimeMilliseconds * 1000, 9_000_000)
        switch random.below(3) {
        case 0:
            // The record is lost without a word, and the key begins anew at a replica that does not know it yet.
            return [
                (0, request), (5000, .drop(client: client, replica: replica)), (5000, request),
                (random.int(60_000...300_000), .restartReplica(other, membership: 0)),
                (1000, .evict(client: client)),
                (random.int(20_000...250_000), .request(client: client, replica: other, loop: 0)),
                (random.int(1_000_000...4_000_000), outage),
            ] + tour(lasting, &random)
        case 1:
            // Pages are late while the session is dropped and begins again.
            let late = random.int(settings.budgetMilliseconds * 100...settings.budgetMilliseconds * 600)
            let drop = Action.drop(client: client, replica: replica)
            return [
                (0, .cut(Wire(replica: other, primary: primary, kind: .subscriber))),
                (0, .delay(Wire(replica: other, primary: primary, kind: .data(loop: 0)), by: late, lasting: 3_000_000)),
            ]
                + (0..<12).flatMap { _ in
                    [(random.int(5000...60_000), drop), (random.int(1000...20_000), request)]
                } + [(random.int(1_000_000...3_000_000), outage)] + tour(lasting, &random)
        case _:
            // The key begins anew after a pause that lasts longer than its record.
            return [
                (0, request), (min(lifetime, 8_000_000) + random.int(0...300_000), .burst(client: client)),
                (random.int(1000...300_000), outage), (50_000, .request(client: client, replica: other, loop: 0)),
            ]
        }
    }

    /// Requests of several clients at several replicas, within a time.
    private func tour(_ lasting: Moment, _ random: inout SeededRandom) -> [(Moment, Action)] {
        (0..<8).map { _ in
            (
                random.int(1000...max(2000, lasting / 8)),
                .request(
                    client: random.below(cookies.count), replica: random.below(replicaCount),
                    loop: random.below(loopCount))
            )
        }
    }
}
