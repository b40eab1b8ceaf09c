import Affinity

/// Sentinels, and how replicas find the primary by what they say.
extension Simulation {
    func handle(_ event: SentinelEvent, _ primary: Int, _ entry: EventQueue.Entry) {
        switch event {
        case .asked(let replica, let life, let sentinel, let time):
            guard life == replica.life else { return }
            answer(replica, primary, sentinel, askedAt: time)
        case .answered(let replica, let life, let sentinel, let answer, let askedAt):
            guard life == replica.life else { return }
            if now < replica.pausedUntil { return queue.postpone(entry, to: replica.pausedUntil) }
            answered(answer, by: sentinel, askedAt: askedAt, primary, at: replica)
        case .hinted(let replica, let life):
            guard life == replica.life else { return }
            if now < replica.pausedUntil { return queue.postpone(entry, to: replica.pausedUntil) }
            hinted(isCertain: true, primary, at: replica)
        case .learns(let sentinel, let server, let epoch): learn(primary, sentinel, server, epoch)
        case .honest(let sentinel, let lie):
            guard primaries[primary].sentinels?.all[sentinel].lies == lie else { return }
            primaries[primary].sentinels?.all[sentinel].lie = nil
            noteAgreement(primary)
        case .reachable(let sentinels, let replicas): reach(primary, sentinels, from: replicas)
        case .isDown, .promotes, .follows, .spares, .wakes, .left, .rejoined, .restarted:
            handleServers(event, primary)
        }
    }

    func add(_ event: SentinelEvent, _ primary: Int, after delay: Moment) {
        queue.add(.sentinel(event, primary: primary), at: now + delay)
    }

    // MARK: Sentinels

    func address(of server: SimulatedServer) -> ServerAddress {
        ServerAddress(host: "redis-\(server.id)", port: 6379)
    }

    private func server(at address: ServerAddress, _ primary: Int) -> SimulatedServer? {
        guard let sentinels = primaries[primary].sentinels else { return nil }
        return (sentinels.servers + [sentinels.stranger]).first { self.address(of: $0) == address }
    }

    private func answer(_ replica: SimulatedReplica, _ primary: Int, _ number: Int, askedAt: Instant) {
        guard let sentinel = primaries[primary].sentinels?.all[number],
            !sentinel.hiddenFrom.contains(replica.index)
        else { return }
        let (server, epoch) = sentinel.lie ?? (sentinel.named, sentinel.epoch)
        add(
            .answered(
                replica, life: replica.life, sentinel: number, .primary(address(of: server), epoch: epoch),
                askedAt: askedAt), primary, after: scenario.latency + random.int(0...2000))
    }

    private func learn(_ primary: Int, _ number: Int, _ server: SimulatedServer, _ epoch: UInt64) {
        guard let sentinel = primaries[primary].sentinels?.all[number], sentinel.epoch < epoch else { return }
        primaries[primary].sentinels?.all[number].named = server
        primaries[primary].sentinels?.all[number].epoch = epoch
        note("sentinel \(number) learns of redis \(server.id)")
        noteAgreement(primary)
        for replica in replicas where !sentinel.hiddenFrom.contains(replica.index) {
            add(.hinted(replica, life: replica.life), primary, after: scenario.latency + random.int(0...2000))
        }
    }

    /// Sentinels hear of a fail-over one after the other, the one that led it first.
    func tellSentinels(_ primary: Int, within longest: Moment) {
        guard let sentinels = primaries[primary].sentinels else { return }
        let leader = random.below(sentinels.all.count)
        for number in sentinels.all.indices {
            let delay = number == leader ? random.int(1000...900_000) : random.int(10_000...longest)
            add(
                .learns(sentinel: number, primaries[primary].current, epoch: sentinels.epoch), primary,
                after: min(delay, longest))
        }
    }

    func applyToSentinels(_ action: Scenario.SentinelAction, _ primary: Int) {
        switch action {
        case .lie(let count, let lie, let epoch, let lasting): begin(lie, primary, count, epoch, lasting)
        case .hide(let hidden, let from, let lasting):
            coverage.count("sentinels out of reach")
            for number in hidden { primaries[primary].sentinels?.all[number].hiddenFrom.formUnion(from) }
            noteAgreement(primary)
            add(.reachable(hidden, from: from), primary, after: lasting)
        case .restart(let numbers):
            coverage.count("sentinels restarted with an old epoch")
            for number in numbers { forget(primary, number) }
            noteAgreement(primary)
        case .freeze, .sever, .fall: break
        }
    }

    private func begin(_ lie: Scenario.Lie, _ primary: Int, _ count: Int, _ epoch: Int64, _ lasting: Moment) {
        guard let sentinels = primaries[primary].sentinels else { return }
        coverage.count("lies of sentinels")
        let current = primaries[primary].current
        let named: SimulatedServer =
            switch lie {
            case .stranger: sentinels.stranger
            case .follower: sentinels.servers.first { !$0.isPrimary } ?? sentinels.stranger
            case .former: primaries[primary].former ?? current
            case .primary: current
            }
        for number in 0..<count {
            primaries[primary].sentinels?.all[number].lie = (named, UInt64(clamping: Int64(sentinels.epoch) + epoch))
            primaries[primary].sentinels?.all[number].lies += 1
            add(.honest(sentinel: number, lie: sentinels.all[number].lies + 1), primary, after: lasting)
        }
        noteAgreement(primary)
    }

    private func forget(_ primary: Int, _ number: Int) {
        guard let sentinels = primaries[primary].sentinels, let previous = sentinels.previous else { return }
        primaries[primary].sentinels?.all[number].named = previous
        primaries[primary].sentinels?.all[number].epoch = sentinels.epoch - 1
        let current = primaries[primary].current
        add(
            .learns(sentinel: number, current, epoch: sentinels.epoch), primary, after: random.int(100_000...3_000_000))
    }

    private func reach(_ primary: Int, _ numbers: Set<Int>, from replicas: Set<Int>) {
        for number in numbers { primaries[primary].sentinels?.all[number].hiddenFrom.subtract(replicas) }
        noteAgreement(primary)
        for replica in self.replicas where replicas.contains(replica.index) {
            add(.hinted(replica, life: replica.life), primary, after: scenario.latency)
        }
    }

    /// Notes since when a majority of the Sentinels names the primary.
    func noteAgreement(_ primary: Int) {
        guard var sentinels = primaries[primary].sentinels else { return }
        let current = primaries[primary].current
        let honest = sentinels.all.filter { $0.lie == nil ? $0.named === current : $0.lie?.server === current }
        func since(_ before: Moment, _ agrees: Bool) -> Moment { agrees ? min(before, now) : .max }
        sentinels.agreedSince = since(sentinels.agreedSince, honest.count >= sentinels.majority)
        for replica in sentinels.agreedSinceFor.indices {
            let count = honest.count { !$0.hiddenFrom.contains(replica) }
            sentinels.agreedSinceFor[replica] = since(
                sentinels.agreedSinceFor[replica], count >= sentinels.majority)
        }
        primaries[primary].sentinels = sentinels
    }

    // MARK: Replicas

    func beginToAsk(_ replica: SimulatedReplica) {
        guard let store = scenario.sentinelStore else { return }
        replica.view.isOfServer = has(.silenceIsOfServer)
        replica.view.guides = primaries.map { _ in
            .init(topology: SentinelTopology(sentinels: has(.sentinelMajority) ? store.sentinelCount : 1))
        }
        for primary in primaries.indices { schedule(.sentinelTick(primary: primary), of: replica, after: 0) }
    }

    private func isInUse(_ primary: Int, _ replica: SimulatedReplica) -> Bool {
        replica.coherence.isLive(primary: primary, now: replica.instant(now))
    }

    func sentinelTick(_ primary: Int, at replica: SimulatedReplica) {
        // A hint has brought the round forward.
        guard now >= replica.view.guides[primary].dueAt else { return }
        replica.view.guides[primary].dueAt = -1
        let actions = replica.view.guides[primary].topology.tick(
            isInUse: isInUse(primary, replica), now: replica.instant(now))
        perform(actions, primary, at: replica)
        arm(primary, at: replica)
    }

    func hinted(isCertain: Bool, _ primary: Int, at replica: SimulatedReplica) {
        replica.view.guides[primary].topology.hinted(isCertain: isCertain, now: replica.instant(now))
        arm(primary, at: replica)
    }

    private func answered(
        _ answer: SentinelTopology.Answer, by sentinel: Int, askedAt: Instant, _ primary: Int,
        at replica: SimulatedReplica
    ) {
        // Without a majority the first answer decides.
        let number = has(.sentinelMajority) ? sentinel : 0
        let actions = replica.view.guides[primary].topology.answered(
            answer, by: number, askedAt: askedAt, isInUse: isInUse(primary, replica), now: replica.instant(now))
        perform(actions, primary, at: replica)
        arm(primary, at: replica)
    }

    private func arm(_ primary: Int, at replica: SimulatedReplica) {
        let guide = replica.view.guides[primary]
        let wait = guide.topology.nextTick.nanoseconds.subtractingReportingOverflow(
            replica.instant(now).nanoseconds)
        let due = now + (wait.overflow ? 1 : max(1, (wait.partialValue + 999) / 1000))
        guard guide.dueAt < 0 || due < guide.dueAt else { return }
        replica.view.guides[primary].dueAt = due
        schedule(.sentinelTick(primary: primary), of: replica, after: due - now)
    }

    private func perform(_ actions: [SentinelTopology.Action], _ primary: Int, at replica: SimulatedReplica) {
        for action in actions {
            switch action {
            case .ask(let time):
                for sentinel in primaries[primary].sentinels?.all.indices ?? 0..<0 {
                    add(
                        .asked(replica, life: replica.life, sentinel: sentinel, at: time), primary,
                        after: scenario.latency + random.int(0...2000))
                }
            case .use(let address): use(address, primary, at: replica)
            case .confirmed(let address, let askedAt): named(address, askedAt: askedAt, primary, at: replica)
            }
        }
    }

    /// Ends the connections that lead to another server, and makes others at once.
    private func use(_ address: ServerAddress, _ primary: Int, at replica: SimulatedReplica) {
        guard let server = server(at: address, primary) else { return }
        checkLed(replica, from: replica.view.guides[primary].server, to: server, primary)
        coverage.count("primaries named")
        note(
            "replica \(replica.index): redis \(server.id) is the primary, \(replica.view.guides[primary].topology.basis)"
        )
        replica.view.guides[primary].server = server
        replica.failedAttempts = 0
        for connection in replica.connections(to: primary) where connection.isOpen && connection.server !== server {
            abandon(connection, "another server is the primary")
        }
        replica.failedAttempts = 0
        schedule(.connect(.subscriber, primary: primary), of: replica, after: 0)
        for loop in replica.loops.indices {
            schedule(.connect(.data(loop: loop), primary: primary), of: replica, after: 0)
        }
    }
}

extension SimulatedReplica {
    func connections(to primary: Int) -> [SimulatedConnection] {
        ([hearings[primary].subscriber] + loops.map { $0.data[primary] }).compactMap(\.self)
    }
}
