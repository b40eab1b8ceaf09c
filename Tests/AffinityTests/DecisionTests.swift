import LimpetTestKit
import Testing

@testable import Affinity

@Suite("One request")
struct DecisionTests {
    let fingerprint = Fingerprint(high: 0x1234_5678_9ABC_DEF0, low: 0x0FED_CBA9_8765_4321)

    private func order(_ fleet: Fleet) -> [Int] { fleet.membership.ranked(fingerprint) }

    // MARK: 1  entry usable

    // D1
    @Test("a fresh entry whose backend is usable is forwarded without a question")
    func hit() throws {
        var fleet = try Fleet()
        fleet.know(fingerprint, fleet.binding(3, 7), .confirmed)
        let route = fleet.serve(fingerprint).route
        #expect(route == Route(backend: 3, binding: fleet.binding(3, 7), provenance: .cached))
        #expect(fleet.sent.isEmpty)
    }

    @Test("an entry is used without asking while the channel is live, as long as its generation lasts")
    func generation() throws {
        var fleet = try Fleet()
        fleet.hold(fingerprint, fleet.binding(3, 7))
        fleet.know(fingerprint, fleet.binding(3, 7), .confirmed)
        fleet.pass(60_000)
        #expect(fleet.serve(fingerprint).route?.provenance == .cached)
        fleet.setChannel(live: false)
        #expect(fleet.serve(fingerprint).route?.provenance == .stored)
        #expect(
            fleet.sent == [
                .restore(
                    fingerprint, fleet.binding(3, 7), lifetimeMilliseconds: fleet.settings.recordLifetimeMilliseconds)
            ])
        fleet.pass(100)
        fleet.setChannel(live: true, isNew: true)
        #expect(fleet.serve(fingerprint).route?.provenance == .stored)
        fleet.pass(100)
        #expect(fleet.serve(fingerprint).route?.provenance == .stored)
        #expect(fleet.serve(fingerprint).route?.provenance == .cached)
        #expect(fleet.sent.count == 3)
    }

    // D1, D8
    @Test("an authentic hint with a higher epoch makes the entry not usable; one of the same epoch does not")
    func hintAboveEntry() throws {
        var fleet = try Fleet()
        fleet.know(fingerprint, fleet.binding(3, 7), .confirmed)
        #expect(fleet.serve(fingerprint, hint: fleet.hint(1, 7)).route?.backend == 3)
        #expect(fleet.sent.isEmpty)
        let route = fleet.serve(fingerprint, hint: fleet.hint(1, 8)).route
        #expect(route == Route(backend: 1, binding: fleet.binding(1, 8), provenance: .claimed))
        #expect(
            fleet.sent == [
                .restore(
                    fingerprint, fleet.binding(1, 8), lifetimeMilliseconds: fleet.settings.recordLifetimeMilliseconds)
            ])
    }

    // D2
    @Test("a fresh entry whose backend is not usable is moved by rebind to the next in order")
    func hitNotUsable() throws {
        var fleet = try Fleet()
        let (home, next) = (order(fleet)[0], order(fleet)[1])
        fleet.hold(fingerprint, fleet.binding(home, 4))
        fleet.know(fingerprint, fleet.binding(home, 4), .confirmed)
        fleet.markDown(home)
        let route = fleet.serve(fingerprint).route
        #expect(route == Route(backend: next, binding: fleet.binding(next, 5), provenance: .rebound))
        #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(next, 5))
        #expect(fleet.serve(fingerprint).route?.provenance == .cached)
        fleet.markUp(home)
        #expect(fleet.serve(fingerprint).route?.backend == next)
    }

    // D8
    @Test(
        "dirty entries and guesses are never used without asking while the store may be asked",
        arguments: [BindingCache.Kind.dirty, .guess])
    func unconfirmedAsks(kind: BindingCache.Kind) throws {
        var fleet = try Fleet()
        fleet.know(fingerprint, fleet.binding(2, kind == .guess ? 0 : 2), kind)
        #expect(fleet.serve(fingerprint).route?.provenance == .claimed)
        #expect(fleet.sent.count == 1)
        #expect(fleet.entry(fingerprint)?.kind == .confirmed)
    }

    // MARK: 2  store may be asked

    // D7
    @Test("our own cookie, none presented: placed at epoch 1, and nothing written, neither store nor cache")
    func newSession() throws {
        var fleet = try Fleet()
        let route = fleet.serve(fingerprint, isNew: true).route
        let home = order(fleet)[0]
        #expect(route == Route(backend: home, binding: fleet.binding(home, 1), provenance: .placed))
        #expect(fleet.sent.isEmpty)
        #expect(fleet.entry(fingerprint) == nil)
        #expect(fleet.replicas[0].cache.counts().all == 0)
    }

    @Test("new sessions that all prefer one backend are spread by bounded load")
    func newSessionsBounded() throws {
        var fleet = try Fleet()
        var random = Random(seed: 21)
        var counts = [Int](repeating: 0, count: 5)
        var served = 0
        while served < 500 {
            let fingerprint = random.fingerprint()
            guard fleet.membership.ranked(fingerprint)[0] == 0 else { continue }
            let route = try #require(fleet.serve(fingerprint, isNew: true).route)
            counts[route.backend] += 1
            served += 1
        }
        #expect(try #require(counts.max()) <= 126, "\(counts)")
    }

    // D10
    @Test("a session nobody knows is placed and created at epoch 1, and every replica gives it the same backend")
    func firstPlacement() throws {
        var fleet = try Fleet(replicas: 3)
        let home = order(fleet)[0]
        #expect(
            fleet.serve(fingerprint).route
                == Route(backend: home, binding: fleet.binding(home, 1), provenance: .claimed))
        for replica in 1...2 {
            #expect(fleet.serve(fingerprint, replica: replica).route?.provenance == .stored)
            #expect(
                fleet.serve(fingerprint, replica: replica).route
                    == Route(backend: home, binding: fleet.binding(home, 1), provenance: .cached))
        }
    }

    @Test("a placement counts as load once it is recorded, and not where the store knew the session")
    func loadCountsRecorded() throws {
        var fleet = try Fleet()
        _ = fleet.serve(fingerprint)
        #expect((0..<5).map { fleet.replicas[0].load.load(of: $0) }.reduce(0, +) == 1)
        let other = Fingerprint(high: 5, low: 6)
        fleet.hold(other, fleet.binding(1, 1))
        _ = fleet.serve(other)
        let third = Fingerprint(high: 7, low: 8)
        _ = fleet.serve(third, hint: fleet.hint(1, 1))
        #expect((0..<5).map { fleet.replicas[0].load.load(of: $0) }.reduce(0, +) == 1)
    }

    // D8, D11
    @Test("a hint of epoch 1 is created, one above is restored", arguments: [1, 2, 900] as [UInt32])
    func hintProposed(epoch: UInt32) throws {
        var fleet = try Fleet()
        let route = fleet.serve(fingerprint, hint: fleet.hint(4, epoch)).route
        #expect(route == Route(backend: 4, binding: fleet.binding(4, epoch), provenance: .claimed))
        let lifetimeMilliseconds = fleet.settings.recordLifetimeMilliseconds
        #expect(
            fleet.sent
                == [
                    epoch == 1
                        ? .create(fingerprint, fleet.backend(4), lifetimeMilliseconds: lifetimeMilliseconds)
                        : .restore(fingerprint, fleet.binding(4, epoch), lifetimeMilliseconds: lifetimeMilliseconds)
                ])
    }

    @Test("a guess is offered as epoch 1")
    func guessProposed() throws {
        var fleet = try Fleet()
        for (fingerprint, hint) in [(fingerprint, nil), (Fingerprint(high: 3, low: 3), fleet.hint(4, 0))] {
            if hint == nil { fleet.know(fingerprint, fleet.binding(4, 0), .guess) }
            let route = fleet.serve(fingerprint, hint: hint).route
            #expect(route == Route(backend: 4, binding: fleet.binding(4, 1), provenance: .claimed))
        }
    }

    // D9
    @Test("a proposal whose backend is not usable goes to the next in order, epoch + 1")
    func proposalNotUsable() throws {
        var fleet = try Fleet()
        let (home, next) = (order(fleet)[0], order(fleet)[1])
        fleet.markDown(home)
        let route = fleet.serve(fingerprint, hint: fleet.hint(home, 3)).route
        #expect(route == Route(backend: next, binding: fleet.binding(next, 4), provenance: .rebound))
        #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(next, 4))
    }

    @Test("a backend that the configuration does not have is not usable")
    func unknownBackend() throws {
        var fleet = try Fleet()
        let stranger = Binding(backend: .of(name: "gone", key: PlacementTests.key), epoch: 3)
        fleet.hold(fingerprint, stranger)
        let home = order(fleet)[0]
        #expect(
            fleet.serve(fingerprint).route
                == Route(backend: home, binding: fleet.binding(home, 4), provenance: .rebound))
    }

    // D13, D19
    @Test("the store's higher record is obeyed")
    func higherRecord() throws {
        var fleet = try Fleet()
        fleet.hold(fingerprint, fleet.binding(2, 9))
        let route = fleet.serve(fingerprint, hint: fleet.hint(1, 8)).route
        #expect(route == Route(backend: 2, binding: fleet.binding(2, 9), provenance: .stored))
    }

    @Test("a lower record gives way to the hint")
    func lowerRecord() throws {
        var fleet = try Fleet()
        fleet.hold(fingerprint, fleet.binding(2, 1))
        let route = fleet.serve(fingerprint, hint: fleet.hint(1, 3)).route
        #expect(route == Route(backend: 1, binding: fleet.binding(1, 3), provenance: .claimed))
        #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(1, 3))
    }

    @Test("equal epoch above 1, other backend: the store's, whatever we hold", arguments: BindingCache.Kind.allCases)
    func equalEpochAboveOne(kind: BindingCache.Kind) throws {
        var fleet = try Fleet()
        fleet.hold(fingerprint, fleet.binding(2, 5))
        fleet.know(fingerprint, fleet.binding(1, 5), kind, age: 2000)
        #expect(fleet.serve(fingerprint).route == Route(backend: 2, binding: fleet.binding(2, 5), provenance: .stored))
        #expect(fleet.entry(fingerprint)?.binding == fleet.binding(2, 5))
    }

    // D12
    @Test("equal epoch 1, other backend: ours by rebind if the store once confirmed it")
    func equalEpochOneConfirmed() throws {
        var fleet = try Fleet()
        fleet.hold(fingerprint, fleet.binding(2, 1))
        fleet.know(fingerprint, fleet.binding(1, 1), .confirmed, age: 2000)
        #expect(fleet.serve(fingerprint).route == Route(backend: 1, binding: fleet.binding(1, 2), provenance: .rebound))
        #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(1, 2))
    }

    // D12, D13
    @Test("equal epoch 1, other backend: the store's if ours is a hint, or not usable; ours if it was learnt")
    func equalEpochOneUnconfirmed() throws {
        var fleet = try Fleet()
        fleet.hold(fingerprint, fleet.binding(2, 1))
        #expect(fleet.serve(fingerprint, hint: fleet.hint(1, 1)).route?.backend == 2)
        var learnt = try Fleet()
        learnt.hold(fingerprint, learnt.binding(2, 1))
        learnt.know(fingerprint, learnt.binding(1, 1), .dirty)
        #expect(
            learnt.serve(fingerprint).route == Route(backend: 1, binding: learnt.binding(1, 2), provenance: .rebound))
        var down = try Fleet()
        down.hold(fingerprint, down.binding(2, 1))
        down.know(fingerprint, down.binding(1, 1), .confirmed, age: 2000)
        down.markDown(1)
        #expect(down.serve(fingerprint).route == Route(backend: 2, binding: down.binding(2, 1), provenance: .stored))
    }

    // D19, D25
    @Test("a tombstone: placement, rebind on it")
    func tombstone() throws {
        var fleet = try Fleet()
        fleet.store.drop(fingerprint, lifetimeMilliseconds: 1_000_000, now: fleet.now)
        let home = order(fleet)[0]
        #expect(
            fleet.serve(fingerprint).route
                == Route(backend: home, binding: fleet.binding(home, 2), provenance: .rebound))
        #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(home, 2))
    }

    @Test("anything against a tombstone of its epoch or higher: the tombstone", arguments: BindingCache.Kind.allCases)
    func tombstoneWins(kind: BindingCache.Kind) throws {
        var fleet = try Fleet()
        let home = order(fleet)[0]
        fleet.hold(fingerprint, Binding(backend: .tombstone, epoch: 4))
        fleet.know(fingerprint, fleet.binding(order(fleet)[2], 4), kind, age: 2000)
        let route = fleet.serve(fingerprint, hint: fleet.hint(order(fleet)[3], 3)).route
        #expect(route == Route(backend: home, binding: fleet.binding(home, 5), provenance: .rebound))
    }

    // D19, D27
    @Test("a winner that is not usable: a move that expects it")
    func winnerNotUsable() throws {
        var fleet = try Fleet()
        let (home, next) = (order(fleet)[0], order(fleet)[1])
        fleet.hold(fingerprint, fleet.binding(home, 6))
        fleet.markDown(home)
        #expect(
            fleet.serve(fingerprint).route
                == Route(backend: next, binding: fleet.binding(next, 7), provenance: .rebound))
        #expect(
            fleet.sent.last
                == .rebind(
                    fingerprint, from: fleet.binding(home, 6), to: fleet.backend(next),
                    lifetimeMilliseconds: fleet.settings.recordLifetimeMilliseconds))
    }

    @Test("a lost compare-and-set adopts the winner")
    func lostRace() throws {
        var fleet = try Fleet()
        let home = order(fleet)[0]
        fleet.know(fingerprint, fleet.binding(home, 1), .confirmed)
        fleet.hold(fingerprint, fleet.binding(4, 2))
        fleet.markDown(home)
        if home == 4 { return }
        #expect(fleet.serve(fingerprint).route == Route(backend: 4, binding: fleet.binding(4, 2), provenance: .stored))
    }

    // D20
    @Test("a session is moved three times at most, then detoured, and nothing recorded")
    func boundedMoves() throws {
        var fleet = try Fleet()
        let stranger = BackendHash.of(name: "gone", key: PlacementTests.key)
        var decision = Decision(fingerprint: fingerprint)
        var step = fleet.begin(&decision)
        var rebinds = 0
        for epoch: UInt32 in 5..<50 {
            guard case .send(let operation) = step else { break }
            if case .rebind = operation { rebinds += 1 }
            step = fleet.result(
                &decision, .record(Binding(backend: stranger, epoch: epoch), remainingMilliseconds: 1000), to: operation
            )
        }
        #expect(rebinds == 3)
        let home = order(fleet)[0]
        let route = fleet.finish(&decision, step).route
        #expect(route?.provenance == .detoured)
        #expect(route?.backend == home)
        #expect(route?.binding.backend == stranger)
        #expect(fleet.entry(fingerprint)?.binding.backend == stranger)
    }

    // D20
    @Test("a request that has no question left goes to the session's own backend, where another has found it")
    func noQuestionLeft() throws {
        var fleet = try Fleet()
        let own = order(fleet)[3]
        var decision = Decision(fingerprint: fingerprint)
        var step = fleet.begin(&decision)
        for epoch: UInt32 in 5..<9 {
            guard case .send(let operation) = step else { break }
            if epoch == 8 { fleet.know(fingerprint, fleet.binding(own, 90), .confirmed) }
            let record = Binding(backend: .of(name: "gone", key: PlacementTests.key), epoch: epoch)
            step = fleet.result(&decision, .record(record, remainingMilliseconds: 1000), to: operation)
        }
        #expect(step == .forward(Route(backend: own, binding: fleet.binding(own, 90), provenance: .cached)))
    }

    // D14
    @Test("a foreign value is replaced by the proposal")
    func foreign() throws {
        var fleet = try Fleet()
        fleet.store.putForeign(fingerprint, until: fleet.now.advanced(byMilliseconds: 10_000))
        let home = order(fleet)[0]
        #expect(
            fleet.serve(fingerprint).route
                == Route(backend: home, binding: fleet.binding(home, 1), provenance: .claimed))
        #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(home, 1))
    }

    @Test("a cache entry lives until the time of asking plus what the record has to live")
    func fill() throws {
        var fleet = try Fleet()
        var decision = Decision(fingerprint: fingerprint)
        guard case .send(let operation) = fleet.begin(&decision) else {
            Issue.record("not asked")
            return
        }
        let sentAt = fleet.now
        fleet.pass(300)
        _ = fleet.result(
            &decision, .record(fleet.binding(1, 1), remainingMilliseconds: 60_000), to: operation, sentAt: sentAt)
        let entry = try #require(fleet.entry(fingerprint))
        let end = sentAt.advanced(byMilliseconds: 60_000)
        #expect(entry.expiresAt <= end && entry.expiresAt > end.advanced(byMilliseconds: -70))
        fleet.pass(60_000 - 300)
        #expect(fleet.entry(fingerprint) == nil)
    }

    // D17
    @Test("an answer that another request has overtaken does not take the session back")
    func overtaken() throws {
        var fleet = try Fleet()
        var decision = Decision(fingerprint: fingerprint)
        guard case .send(let operation) = fleet.begin(&decision) else {
            Issue.record("not asked")
            return
        }
        fleet.hold(fingerprint, fleet.binding(4, 2))
        fleet.know(fingerprint, fleet.binding(4, 2), .confirmed)
        let step = fleet.result(&decision, .record(fleet.binding(1, 1), remainingMilliseconds: 60_000), to: operation)
        #expect(fleet.finish(&decision, step).route?.binding == fleet.binding(4, 2))
        #expect(fleet.entry(fingerprint)?.binding == fleet.binding(4, 2))
    }

    // D21, D24
    @Test("the budget of a request covers all its questions")
    func budgetMilliseconds() throws {
        var fleet = try Fleet()
        let (home, next) = (order(fleet)[0], order(fleet)[1])
        fleet.markDown(home)
        var decision = Decision(fingerprint: fingerprint)
        guard case .send(let operation) = fleet.begin(&decision) else {
            Issue.record("not asked")
            return
        }
        fleet.pass(fleet.settings.budgetMilliseconds)
        let step = fleet.result(
            &decision, .record(fleet.binding(home, 1), remainingMilliseconds: 60_000), to: operation)
        #expect(step == .forward(Route(backend: next, binding: fleet.binding(next, 2), provenance: .rebound)))
        #expect(fleet.entry(fingerprint)?.kind == .dirty)
    }

    @Test("a draining backend and one of weight 0 keep their sessions and get none new")
    func draining() throws {
        var fleet = try Fleet(weights: [1, 0, 1, 1, 1], draining: ["web-1"])
        for index in 0...1 {
            let bound = Fingerprint(high: 9, low: UInt64(index))
            fleet.hold(bound, fleet.binding(index, 2))
            #expect(fleet.serve(bound).route?.backend == index)
            #expect(fleet.serve(bound).route?.backend == index)
        }
        var random = Random(seed: 22)
        for _ in 0..<200 {
            #expect(try #require(fleet.serve(random.fingerprint()).route).backend > 1)
            #expect(try #require(fleet.serve(random.fingerprint(), isNew: true).route).backend > 1)
        }
    }

    // D30
    @Test("with no backend that may take the request it is refused, store or no store", arguments: [true, false])
    func noBackend(storeIsAvailable: Bool) throws {
        var fleet = try Fleet()
        fleet.storeIsAvailable = storeIsAvailable
        for index in 0..<5 { fleet.markDown(index) }
        #expect(fleet.serve(fingerprint) == .refusal(.noBackend))
        #expect(fleet.serve(fingerprint, isNew: true) == .refusal(.noBackend))
        fleet.know(fingerprint, fleet.binding(1, 1), .confirmed)
        #expect(fleet.serve(fingerprint, hint: fleet.hint(1, 1)) == .refusal(.noBackend))
        #expect(fleet.store.written.isEmpty)
    }

    // MARK: the backend fails

    // D32
    @Test("a backend that fails a session after it was claimed there: rebind to the next in order")
    func failsAfterClaim() throws {
        var fleet = try Fleet()
        let (home, next) = (order(fleet)[0], order(fleet)[1])
        var decision = Decision(fingerprint: fingerprint)
        #expect(fleet.finish(&decision, fleet.begin(&decision)).route?.backend == home)
        fleet.markDown(home)
        #expect(
            fleet.backendFailed(&decision).route
                == Route(backend: next, binding: fleet.binding(next, 2), provenance: .rebound))
    }

    // D7, D32
    @Test("a backend that fails a new session: placed elsewhere, still nothing written")
    func failsNew() throws {
        var fleet = try Fleet()
        var decision = Decision(fingerprint: fingerprint, isNew: true)
        let first = try #require(fleet.finish(&decision, fleet.begin(&decision)).route)
        fleet.markDown(first.backend)
        let second = try #require(fleet.backendFailed(&decision).route)
        #expect(second.backend != first.backend)
        #expect(second.provenance == .placed && second.binding.epoch == 1)
        #expect(fleet.sent.isEmpty)
    }

    @Test(
        "backends that fail one after another: every one is tried, then the request is refused",
        arguments: [true, false])
    func allFail(storeIsAvailable: Bool) throws {
        var fleet = try Fleet()
        fleet.storeIsAvailable = storeIsAvailable
        var decision = Decision(fingerprint: fingerprint)
        var outcome = fleet.finish(&decision, fleet.begin(&decision))
        var tried: Set<Int> = []
        while let route = outcome.route, tried.count < 10 {
            #expect(tried.insert(route.backend).inserted)
            fleet.markDown(route.backend)
            outcome = fleet.backendFailed(&decision)
        }
        #expect(tried.count == 5)
        #expect(outcome == .refusal(.noBackend))
        #expect(fleet.sent.count <= 4)
    }

    // D33
    @Test("a caller that forgets to mark a failed backend down is refused in the end")
    func neverMarkedDown() throws {
        var fleet = try Fleet()
        var decision = Decision(fingerprint: fingerprint)
        var outcome = fleet.finish(&decision, fleet.begin(&decision))
        for _ in 0..<6 { outcome = fleet.backendFailed(&decision) }
        #expect(outcome == .refusal(.noBackend))
    }
}
