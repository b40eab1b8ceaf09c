import LimpetTestKit
import Testing

@testable import Affinity

@Suite("What the channel says, and what was under way meanwhile")
struct HearingTests {
    let fingerprint = Fingerprint(high: 0xAB, low: 0xCD)

    private func operation(_ fleet: inout Fleet, _ decision: inout Decision) throws -> StoreOperation {
        guard case .send(let operation) = fleet.begin(&decision) else { throw Missing() }
        return operation
    }

    private struct Missing: Error {}

    @Test("a move heard is followed without a question, with the lifetime that the entry has")
    func received() throws {
        var fleet = try Fleet()
        fleet.know(fingerprint, fleet.binding(1, 2), .confirmed)
        let expires = fleet.entry(fingerprint)?.expiresAt
        fleet.pass(1000)
        fleet.replicas[0].cache.receive(fleet.binding(2, 3), of: fingerprint, now: fleet.now)
        #expect(fleet.serve(fingerprint).route == Route(backend: 2, binding: fleet.binding(2, 3), provenance: .cached))
        #expect(fleet.entry(fingerprint)?.expiresAt == expires)
        #expect(fleet.sent.isEmpty)
    }

    @Test("what is heard of an unknown session makes no entry, and of a lower epoch changes none")
    func notKept() throws {
        let fleet = try Fleet()
        fleet.replicas[0].cache.receive(fleet.binding(2, 3), of: fingerprint, now: fleet.now)
        #expect(fleet.entry(fingerprint) == nil)
        var known = try Fleet()
        known.know(fingerprint, known.binding(1, 5), .confirmed)
        known.replicas[0].cache.receive(known.binding(2, 4), of: fingerprint, now: known.now)
        #expect(known.entry(fingerprint)?.binding == known.binding(1, 5))
    }

    @Test("a move heard takes the place of a guess and of a dirty entry of its epoch")
    func unconfirmed() throws {
        for (kind, epoch) in [(BindingCache.Kind.guess, 0), (.dirty, 3)] as [(BindingCache.Kind, UInt32)] {
            var fleet = try Fleet()
            fleet.know(fingerprint, fleet.binding(1, epoch), kind)
            fleet.replicas[0].cache.receive(fleet.binding(2, 3), of: fingerprint, now: fleet.now)
            #expect(fleet.entry(fingerprint)?.kind == .confirmed)
            #expect(fleet.serve(fingerprint).route?.binding == fleet.binding(2, 3))
            #expect(fleet.replicas[0].cache.counts().all == 1)
            #expect(fleet.replicas[0].cache.counts().confirmed == 1)
        }
    }

    @Test("a tombstone heard: placed anew on it")
    func tombstone() throws {
        var fleet = try Fleet()
        fleet.know(fingerprint, fleet.binding(1, 2), .confirmed)
        fleet.store.drop(fingerprint, above: 2, lifetimeMilliseconds: 60_000, now: fleet.now)
        fleet.replicas[0].cache.receive(Binding(backend: .tombstone, epoch: 3), of: fingerprint, now: fleet.now)
        let route = try #require(fleet.serve(fingerprint).route)
        #expect(route.binding.epoch == 4 && route.provenance == .rebound)
    }

    // D17
    @Test("an answer that was under way when a higher epoch was heard is not kept, and the store is asked again")
    func floor() throws {
        var fleet = try Fleet()
        var decision = Decision(fingerprint: fingerprint)
        let operation = try operation(&fleet, &decision)
        let sentAt = fleet.now
        fleet.pass(3)
        fleet.hold(fingerprint, fleet.binding(2, 2))
        fleet.replicas[0].cache.receive(fleet.binding(2, 2), of: fingerprint, now: fleet.now)
        fleet.pass(3)
        let step = fleet.result(
            &decision, .record(fleet.binding(1, 1), remainingMilliseconds: 9000), to: operation, sentAt: sentAt)
        #expect(fleet.finish(&decision, step).route?.binding == fleet.binding(2, 2))
        #expect(fleet.entry(fingerprint)?.binding == fleet.binding(2, 2))
    }

    @Test("what the store is asked after a message is judged by itself: it may hold less after a loss")
    func askedAfter() throws {
        var fleet = try Fleet()
        fleet.replicas[0].cache.receive(fleet.binding(2, 2), of: fingerprint, now: fleet.now)
        fleet.pass(1)
        fleet.hold(fingerprint, fleet.binding(1, 1))
        #expect(fleet.serve(fingerprint).route?.binding == fleet.binding(1, 1))
        #expect(fleet.serve(fingerprint).route?.provenance == .cached)
    }

    // D11, D17
    @Test("of a rebind that another overtook, the other stands")
    func overtakenRebind() throws {
        var fleet = try Fleet()
        let home = fleet.membership.ranked(fingerprint)[0]
        fleet.know(fingerprint, fleet.binding(home, 1), .confirmed)
        fleet.markDown(home)
        var decision = Decision(fingerprint: fingerprint)
        let operation = try operation(&fleet, &decision)
        let sentAt = fleet.now
        let other = (home + 1) % 5
        fleet.pass(1)
        fleet.hold(fingerprint, fleet.binding(other, 3))
        fleet.replicas[0].cache.receive(fleet.binding(other, 3), of: fingerprint, now: fleet.now)
        let step = fleet.result(&decision, .written, to: operation, sentAt: sentAt)
        #expect(fleet.finish(&decision, step).route?.binding == fleet.binding(other, 3))
    }

    @Test("floors are few: one that was given up makes earlier answers suspect, not wrong")
    func crowded() throws {
        var fleet = try Fleet()
        var decision = Decision(fingerprint: fingerprint)
        let operation = try operation(&fleet, &decision)
        let sentAt = fleet.now
        fleet.pass(1)
        // Of the same shard and the same place among its floors.
        let rival = Fingerprint(high: fingerprint.high, low: fingerprint.low + 64)
        let third = Fingerprint(high: fingerprint.high, low: fingerprint.low + 128)
        for received in [fingerprint, rival, third] {
            fleet.replicas[0].cache.receive(fleet.binding(2, 2), of: received, now: fleet.now)
        }
        let step = fleet.result(
            &decision, .record(fleet.binding(1, 1), remainingMilliseconds: 9000), to: operation, sentAt: sentAt)
        #expect(fleet.finish(&decision, step).route?.binding == fleet.binding(1, 1))
        #expect(fleet.entry(fingerprint)?.isSuspect == true)
        fleet.pass(1)
        fleet.hold(fingerprint, fleet.binding(2, 2))
        #expect(fleet.serve(fingerprint).route?.binding == fleet.binding(2, 2))
        #expect(fleet.entry(fingerprint)?.isSuspect == false)
    }

    @Test("an answer older than the lease, of another server, or of an earlier generation, is asked for again")
    func suspects() throws {
        for reason in 0..<3 {
            var fleet = try Fleet()
            var decision = Decision(fingerprint: fingerprint)
            let operation = try operation(&fleet, &decision)
            let sentAt = fleet.now
            fleet.pass(reason == 0 ? fleet.settings.leaseMilliseconds + 1 : 10)
            if reason == 2 { fleet.setChannel(live: true, isNew: true) }
            fleet.hold(fingerprint, fleet.binding(1, 1))
            _ = fleet.result(
                &decision, .record(fleet.binding(1, 1), remainingMilliseconds: 90_000), to: operation, sentAt: sentAt,
                isFromChannelServer: reason != 1)
            fleet.pass(200)
            #expect(fleet.serve(fingerprint).route?.provenance == .stored)
            #expect(fleet.serve(fingerprint).route?.provenance == .cached)
        }
    }

    @Test("a lifetime that may not be the record's is asked for: of what the store never said, and where sessions age")
    func lifetimeUnknown() throws {
        var fleet = try Fleet()
        fleet.know(fingerprint, fleet.binding(1, 0), .guess)
        fleet.replicas[0].cache.receive(fleet.binding(2, 3), of: fingerprint, now: fleet.now)
        #expect(fleet.entry(fingerprint)?.isSuspect == true)
        fleet.replicas[0].cache.remove(fingerprint)
        let entry = BindingCache.Entry(
            binding: fleet.binding(1, 1), kind: .confirmed, confirmedAt: fleet.now,
            expiresAt: fleet.now.advanced(byMilliseconds: 60_000), createdAtSeconds: 7)
        fleet.replicas[0].cache.store(entry, for: fingerprint, now: fleet.now)
        fleet.replicas[0].cache.receive(fleet.binding(2, 2), of: fingerprint, now: fleet.now)
        #expect(fleet.entry(fingerprint)?.isSuspect == true)
    }

    // D18
    @Test("an answer that is read a lease after its question is no ground for a decision: it is asked again")
    func oldAnswer() throws {
        var fleet = try Fleet()
        fleet.hold(fingerprint, fleet.binding(1, 3))
        let sentAt = fleet.now
        var first = Decision(fingerprint: fingerprint)
        let operation = try operation(&fleet, &first)
        let result = fleet.store.result(operation, now: fleet.now)
        fleet.pass(fleet.settings.leaseMilliseconds + 1)
        // One that came to the same question later has its budget still.
        var second = Decision(fingerprint: fingerprint)
        guard case .send = fleet.result(&second, result, to: operation, sentAt: sentAt) else {
            Issue.record("the old answer was followed")
            return
        }
        #expect(fleet.entry(fingerprint)?.isSuspect == true)
    }
}
