import LimpetTestKit
import Testing

@testable import Affinity

@Suite("Session keys that backends issue")
struct LearningTests {
    private let fingerprint = Fingerprint(high: 0x56, low: 0x78)

    /// A backend that the session would not be placed on.
    private func issuer(_ fleet: Fleet) -> Int { fleet.membership.ranked(fingerprint)[2] }

    @Test("are bound to the backend that issued them before the client comes back, on every replica")
    func bound() throws {
        var fleet = try Fleet(replicas: 2)
        let index = issuer(fleet)
        fleet.learn(fingerprint, from: index)
        #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(index, 1))
        #expect(
            fleet.serve(fingerprint).route
                == Route(backend: index, binding: fleet.binding(index, 1), provenance: .cached))
        #expect(fleet.serve(fingerprint, replica: 1).route?.backend == index)
        #expect(fleet.sent.count == 2)
    }

    @Test("that are known already cost nothing, whoever issues them again")
    func known() throws {
        for kind in [BindingCache.Kind.confirmed, .dirty] {
            var fleet = try Fleet()
            let (index, home) = (issuer(fleet), fleet.membership.ranked(fingerprint)[0])
            fleet.know(fingerprint, fleet.binding(home, 2), kind)
            fleet.learn(fingerprint, from: home)
            fleet.learn(fingerprint, from: index)
            #expect(fleet.sent.isEmpty && fleet.entry(fingerprint)?.binding == fleet.binding(home, 2))
        }
        var fleet = try Fleet()
        var learning = Learning(fingerprint: fingerprint, backend: BackendHash(bits: 99))
        let step = fleet.replicas[0].learn(&learning, storeIsAvailable: true, now: fleet.now)
        #expect(step == .done, "its backend is no longer configured")
    }

    @Test("that the store has bound elsewhere stay there: the first writer wins")
    func nextChoice() throws {
        var fleet = try Fleet()
        let (index, home) = (issuer(fleet), fleet.membership.ranked(fingerprint)[0])
        fleet.hold(fingerprint, fleet.binding(home, 1))
        fleet.learn(fingerprint, from: index)
        #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(home, 1))
        #expect(fleet.serve(fingerprint).route?.backend == home)
        #expect(fleet.sent.count == 1)
    }

    @Test("and are learnt by two replicas at once are bound to the one whose word came first")
    func race() throws {
        var fleet = try Fleet(replicas: 2)
        let (first, second) = (issuer(fleet), fleet.membership.ranked(fingerprint)[3])
        var learnings = [first, second].map { Learning(fingerprint: fingerprint, backend: fleet.backend($0)) }
        var operations: [StoreOperation] = []
        let now = fleet.now
        for replica in 0...1 {
            let step = fleet.replicas[replica].learn(&learnings[replica], storeIsAvailable: true, now: now)
            if case .send(let operation) = step { operations.append(operation) }
        }
        try #require(operations.count == 2)
        for replica in 0...1 {
            let said = fleet.store.result(operations[replica], now: now)
            let step = fleet.replicas[replica].storeAnswered(
                &learnings[replica], said, to: operations[replica], stamp: OperationStamp(sentAt: now), now: now)
            #expect(step == .done)
        }
        for replica in 0...1 { #expect(fleet.serve(fingerprint, replica: replica).route?.backend == first) }
    }

    @Test("outweigh a guess that was made of them meanwhile, but no record")
    func guessed() throws {
        var fleet = try Fleet()
        let (index, home) = (issuer(fleet), fleet.membership.ranked(fingerprint)[0])
        fleet.know(fingerprint, fleet.binding(home, 0), .guess)
        fleet.learn(fingerprint, from: index)
        #expect(fleet.serve(fingerprint).route?.backend == index)
    }

    @Test(
        "are remembered while the store is away, serve this replica, and are told to it afterwards",
        arguments: [nil] + StoreFailure.allCases)
    func away(failure: StoreFailure?) throws {
        var fleet = try Fleet(replicas: 2)
        let index = issuer(fleet)
        fleet.failure = failure
        fleet.storeIsAvailable = failure != nil
        fleet.learn(fingerprint, from: index)
        let entry = fleet.entry(fingerprint)
        #expect(entry?.kind == .dirty && entry?.binding == fleet.binding(index, 1))
        fleet.storeIsAvailable = false
        #expect(fleet.serve(fingerprint).route?.backend == index)
        (fleet.failure, fleet.storeIsAvailable) = (nil, true)
        #expect(fleet.replicas[0].hasOffers)
        fleet.offerAll()
        #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(index, 1))
        #expect(fleet.entry(fingerprint)?.kind == .confirmed)
        #expect(fleet.serve(fingerprint, replica: 1).route?.backend == index)
    }

    @Test("outweigh after the outage what another replica guessed meanwhile and told first, but no move")
    func guessedMeanwhile() throws {
        for (epoch, isRight) in [(UInt32(1), true), (2, false)] {
            var fleet = try Fleet(replicas: 2)
            let (index, home) = (issuer(fleet), fleet.membership.ranked(fingerprint)[0])
            fleet.storeIsAvailable = false
            fleet.learn(fingerprint, from: index)
            #expect(fleet.serve(fingerprint, replica: 1).route?.backend == home)
            fleet.storeIsAvailable = true
            fleet.hold(fingerprint, fleet.binding(home, epoch))
            fleet.offerAll()
            let bound = isRight ? fleet.binding(index, 2) : fleet.binding(home, epoch)
            #expect(fleet.store.binding(fingerprint, now: fleet.now) == bound)
            for replica in 0...1 {
                #expect(fleet.serve(fingerprint, replica: replica).route?.backend == (isRight ? index : home))
            }
        }
    }

    @Test("outweigh such a guess on the session's next request, too")
    func guessedMeanwhileAndAsked() throws {
        var fleet = try Fleet()
        let (index, home) = (issuer(fleet), fleet.membership.ranked(fingerprint)[0])
        fleet.storeIsAvailable = false
        fleet.learn(fingerprint, from: index)
        fleet.storeIsAvailable = true
        fleet.hold(fingerprint, fleet.binding(home, 1))
        #expect(fleet.serve(fingerprint).route?.backend == index)
        #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(index, 2))
    }

    @Test("of a dropped session are bound above its tombstone, with the store and without", arguments: [true, false])
    func dropped(storeIsThere: Bool) throws {
        var fleet = try Fleet()
        let index = issuer(fleet)
        fleet.hold(fingerprint, Binding(backend: .tombstone, epoch: 4))
        fleet.know(fingerprint, Binding(backend: .tombstone, epoch: 4), .confirmed)
        fleet.storeIsAvailable = storeIsThere
        fleet.learn(fingerprint, from: index)
        fleet.storeIsAvailable = true
        fleet.offerAll()
        #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(index, 5))
        #expect(fleet.serve(fingerprint).route?.backend == index)
    }

    @Test("replace what Limpet would not have written, and wait for the store no longer than the budget")
    func foreign() throws {
        var fleet = try Fleet()
        let index = issuer(fleet)
        fleet.store.putForeign(fingerprint, until: fleet.now.advanced(byMilliseconds: 10_000))
        fleet.learn(fingerprint, from: index)
        #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(index, 1))
        var slow = try Fleet()
        var learning = Learning(fingerprint: fingerprint, backend: slow.backend(index))
        let (sentAt, now) = (slow.now, slow.now.advanced(byMilliseconds: 21))
        let operation = slow.replicas[0].learn(&learning, storeIsAvailable: true, now: sentAt)
        guard case .send(let operation) = operation else {
            Issue.record("nothing was asked")
            return
        }
        let step = slow.replicas[0].storeAnswered(
            &learning, .foreign, to: operation, stamp: OperationStamp(sentAt: sentAt), now: now)
        #expect(step == .done && slow.entry(fingerprint)?.kind == .dirty)
    }

    @Test("of which a store that takes no writes has a record change nothing")
    func readOnly() throws {
        var fleet = try Fleet()
        let (index, home) = (issuer(fleet), fleet.membership.ranked(fingerprint)[0])
        let now = fleet.now
        var learning = Learning(fingerprint: fingerprint, backend: fleet.backend(index))
        let first = fleet.replicas[0].learn(&learning, storeIsAvailable: true, now: now)
        guard case .send(let operation) = first else {
            Issue.record("nothing was asked")
            return
        }
        let binding = fleet.binding(home, 2)
        let step = fleet.replicas[0].storeAnswered(
            &learning, .readOnly(binding, remainingMilliseconds: 1000), to: operation,
            stamp: OperationStamp(sentAt: now), now: now)
        #expect(step == .done && fleet.entry(fingerprint) == nil && !fleet.replicas[0].hasOffers)
    }
}
