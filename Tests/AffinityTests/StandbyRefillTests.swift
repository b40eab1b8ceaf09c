import LimpetTestKit
import Testing

@testable import Affinity

@Suite("Standby after a loss")
struct StandbyRefillTests {
    /// A replica's standby, and a clock.
    private struct Replica {
        static let lifetimeMilliseconds: Int64 = 500_000
        let cache = BindingCache(entries: 100, shards: 1)
        let coherence = Coherence(primaries: 1)
        let session = Fingerprint(high: 7, low: 7)
        var standby: Standby
        var now = Instant(nanoseconds: 5_000_000_000_000)
        var status = Coherence.Status(liveUntil: .distantPast, generationBegan: .distantPast, lineage: 0)

        init() {
            standby = Standby(
                instance: 1, cache: cache, coherence: coherence, budgetMilliseconds: 20,
                recordLifetimeMilliseconds: Self.lifetimeMilliseconds, now: now)
        }

        var binding: Binding { Binding(backend: BackendHash(bits: 5), epoch: 3) }

        func know(lifetimeMilliseconds: Int64 = 100_000) {
            cache.store(
                BindingCache.Entry(
                    binding: binding, kind: .confirmed, confirmedAt: now.advanced(byMilliseconds: -5000),
                    expiresAt: now.advanced(byMilliseconds: lifetimeMilliseconds)), for: session, now: now)
        }

        mutating func subscribe() {
            status.generationBegan = now
            status.liveUntil = .distantPast
            standby.channelChanged(to: status, echoedBeatSentAt: nil, hearsAnnouncements: true, now: now)
        }

        mutating func echo(isNewEra: Bool = false) {
            if isNewEra {
                status.lineage += 1
                status.eras += 1
                status.lineageBegan = now
                status.generationBegan = now
            }
            status.liveUntil = now.advanced(byMilliseconds: 500)
            standby.channelChanged(to: status, echoedBeatSentAt: now, hearsAnnouncements: true, now: now)
        }

        mutating func tick(after milliseconds: Int64 = 50) -> [Standby.Action] {
            now = now.advanced(byMilliseconds: milliseconds)
            status.liveUntil = now.advanced(byMilliseconds: 500)
            standby.channelChanged(to: status, echoedBeatSentAt: now, hearsAnnouncements: true, now: now)
            return standby.tick(fleet: FleetStandby(), storeIsAvailable: true, now: now)
        }

        /// Ticks for a time; the store is empty, and offers have this result. Returns what was announced.
        mutating func run(for milliseconds: Int64 = 500, offered: StoreResult = .written) -> [Standby.Action] {
            var announced: [Standby.Action] = []
            let end = now.advanced(byMilliseconds: milliseconds)
            while now < end {
                for action in tick() {
                    switch action {
                    case .scan: _ = standby.scanned([], next: 0, now: now)
                    case .send(let operation):
                        _ = standby.answered(offered, to: operation, stamp: OperationStamp(sentAt: now), now: now)
                    case .announce:
                        announced.append(action)
                        _ = standby.announced(isPublished: true, isRefused: false, now: now)
                    }
                }
            }
            return announced
        }
    }

    @Test("offers are silent: a refill that has written something says so, once, and another replica scans again")
    func written() {
        var replica = Replica()
        replica.know()
        replica.subscribe()
        replica.echo(isNewEra: true)
        #expect(replica.run() == [.announce([], hasLeftOut: true)])
        #expect(replica.run() == [])

        var other = Replica()
        other.subscribe()
        other.echo(isNewEra: true)
        _ = other.run(for: 3000)
        #expect(other.standby.status(now: other.now) == .synced)
        other.standby.received(Announcement(instance: 9, hasLeftOut: true, items: []), now: other.now)
        #expect(other.standby.status(now: other.now) == .notSynced(.leftOut))
    }

    @Test("a refill that has found everything says nothing")
    func found() {
        var replica = Replica()
        replica.know()
        replica.subscribe()
        replica.echo(isNewEra: true)
        #expect(replica.run(offered: .record(replica.binding, remainingMilliseconds: 90_000)) == [])
        #expect(replica.standby.counters.offers > 0)
    }

    @Test("what a refill that was cut may still have written is offered again, and then it says so")
    func cut() throws {
        var replica = Replica()
        replica.know()
        replica.subscribe()
        replica.echo(isNewEra: true)
        guard case .send(let offer)? = replica.tick().first else {
            Issue.record("nothing was offered")
            return
        }
        for failure in [StoreFailure.refused, .lost] {
            _ = replica.standby.answered(
                .unavailable(failure), to: offer, stamp: OperationStamp(sentAt: replica.now), now: replica.now)
        }
        #expect(replica.run(for: 9000) == [])
        let held = StoreResult.record(replica.binding, remainingMilliseconds: 90_000)
        #expect(replica.run(for: 3000, offered: held) == [.announce([], hasLeftOut: true)])
    }

    @Test("guesses wait until a heartbeat has come back, and then only if the store may have lost something")
    func guessesWait() {
        var replica = Replica()
        #expect(replica.coherence.isRefilling)
        replica.subscribe()
        _ = replica.standby.tick(fleet: FleetStandby(), storeIsAvailable: true, now: replica.now)
        #expect(replica.coherence.isRefilling)
        replica.echo(isNewEra: true)
        _ = replica.run(for: 2500)
        #expect(replica.coherence.isRefilling)
        _ = replica.run(for: 1000)
        #expect(!replica.coherence.isRefilling)
        // Subscribed again: the same data.
        replica.now = replica.now.advanced(byMilliseconds: 100)
        replica.subscribe()
        #expect(replica.coherence.isRefilling)
        replica.echo()
        #expect(!replica.coherence.isRefilling)
    }

    @Test("what is restored over a lower epoch lives as long as any entry that takes it from the broadcast")
    func restoredLife() throws {
        var replica = Replica()
        replica.know()
        replica.subscribe()
        replica.echo(isNewEra: true)
        let offers = replica.tick()
        guard case .send(let offer)? = offers.first, case .offer = offer else {
            Issue.record("\(offers)")
            return
        }
        let lower = Binding(backend: BackendHash(bits: 6), epoch: 1)
        let next = replica.standby.answered(
            .record(lower, remainingMilliseconds: 90_000), to: offer, stamp: OperationStamp(sentAt: replica.now),
            now: replica.now)
        #expect(
            next == [
                .send(
                    .restore(
                        replica.session, replica.binding, lifetimeMilliseconds: Replica.lifetimeMilliseconds))
            ])
    }

    @Test("every scan, not only the first, is complete when all replicas have been heard since it began")
    func heardSince() {
        var replica = Replica()
        replica.subscribe()
        replica.echo(isNewEra: true)
        _ = replica.run(for: 3000)
        #expect(replica.standby.status(now: replica.now) == .synced)
        replica.standby.received(Announcement(instance: 9, hasLeftOut: true, items: []), now: replica.now)
        _ = replica.run(for: 900)
        #expect(replica.standby.status(now: replica.now) == .syncing(sessions: 0))
        _ = replica.run(for: 400)
        #expect(replica.standby.status(now: replica.now) == .synced)
    }

    @Test("a replica learns from its own announcement of a write whose result it never had, and no gap")
    func own() {
        var replica = Replica()
        replica.subscribe()
        replica.echo(isNewEra: true)
        _ = replica.run(for: 3000)
        let item = Announcement.Item(replica.session, StoredRecord(replica.binding, remainingMilliseconds: 9000))
        replica.standby.received(Announcement(instance: 1, hasLeftOut: true, items: [item]), now: replica.now)
        #expect(replica.cache.peek(replica.session, now: replica.now)?.binding == replica.binding)
        #expect(replica.standby.status(now: replica.now) == .synced)
        #expect(replica.standby.counters.recordsHeard == 0)
    }
}
