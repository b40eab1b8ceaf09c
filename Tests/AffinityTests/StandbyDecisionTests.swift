import LimpetTestKit
import Testing

@testable import Affinity

@Suite("Decisions on standby and on expired entries")
struct StandbyDecisionTests {
    let session = Fingerprint(high: 0xFEDC_BA98_7654_3210, low: 0x0123_4567_89AB_CDEF)

    @Test("standby is asked about before its first use, and then needs no further question")
    func asked() throws {
        var fleet = try Fleet()
        fleet.know(session, fleet.binding(3, 2), .confirmed, isStandby: true)
        fleet.hold(session, fleet.binding(3, 2))
        #expect(fleet.serve(session).route == Route(backend: 3, binding: fleet.binding(3, 2), provenance: .stored))
        #expect(fleet.sent.count == 1)
        #expect(fleet.serve(session).route?.provenance == .cached)
        #expect(fleet.sent.count == 1)
    }

    @Test("without the store standby serves as if it had been confirmed here")
    func withoutStore() throws {
        var fleet = try Fleet()
        fleet.storeIsAvailable = false
        fleet.know(session, fleet.binding(3, 2), .confirmed, isStandby: true)
        #expect(fleet.serve(session).route == Route(backend: 3, binding: fleet.binding(3, 2), provenance: .cached))
    }

    @Test("at equal epochs a hint outweighs standby, and standby outweighs nothing higher")
    func ties() throws {
        var fleet = try Fleet()
        fleet.storeIsAvailable = false
        fleet.know(session, fleet.binding(3, 2), .confirmed, isStandby: true)
        #expect(fleet.serve(session, hint: fleet.hint(1, 2)).route?.backend == 1)
        #expect(fleet.serve(session, hint: fleet.hint(1, 1)).route?.backend == 3)
    }

    @Test("standby refills an empty store with its own epoch, and wins over a record by one who did not know")
    func proposes() throws {
        var fleet = try Fleet()
        fleet.know(session, fleet.binding(3, 4), .confirmed, isStandby: true)
        #expect(fleet.serve(session).route?.binding == fleet.binding(3, 4))
        var other = try Fleet()
        other.know(session, other.binding(3, 1), .confirmed, isStandby: true)
        other.hold(session, other.binding(1, 1))
        #expect(other.serve(session).route?.binding == other.binding(3, 2))
    }

    @Test("an expired entry names the backend of a guess without the store, whatever kind it was")
    func expiredGuess() throws {
        for kind in BindingCache.Kind.allCases {
            var fleet = try Fleet()
            let elsewhere = fleet.membership.ranked(session)[4]
            fleet.know(session, fleet.binding(elsewhere, 3), kind)
            fleet.pass(fleet.settings.recordLifetimeMilliseconds + 1000)
            fleet.storeIsAvailable = false
            #expect(
                fleet.serve(session).route
                    == Route(backend: elsewhere, binding: fleet.binding(elsewhere, 0), provenance: .cached))
            #expect(fleet.entry(session)?.kind == .guess)
            #expect(fleet.entry(session)?.binding == fleet.binding(elsewhere, 0))
        }
    }

    @Test("an expired entry whose backend is not usable, and an expired tombstone, name nothing")
    func uselessExpired() throws {
        var fleet = try Fleet()
        let order = fleet.membership.ranked(session)
        fleet.know(session, fleet.binding(order[4], 3), .confirmed)
        fleet.pass(fleet.settings.recordLifetimeMilliseconds + 1000)
        fleet.storeIsAvailable = false
        fleet.markDown(order[4])
        #expect(fleet.serve(session).route?.provenance == .hashed)
        #expect(fleet.entry(session)?.kind == .guess)

        var dropped = try Fleet()
        dropped.know(session, Binding(backend: .tombstone, epoch: 3), .confirmed)
        dropped.pass(dropped.settings.recordLifetimeMilliseconds + 1000)
        dropped.storeIsAvailable = false
        #expect(dropped.serve(session).route?.backend == order[0])
    }

    @Test("an expired entry of a session that has ended by age names nothing")
    func endedByAge() throws {
        let settings = AffinitySettings(
            idleTimeoutMilliseconds: 60_000, absoluteTimeoutMilliseconds: 600_000)
        for (age, provenance) in [(500_000, Provenance.cached), (700_000, .hashed)] as [(Int64, Provenance)] {
            var fleet = try Fleet(settings: settings)
            let elsewhere = fleet.membership.ranked(session)[4]
            let began = UInt32((Fleet.wallOrigin + fleet.now.nanoseconds) / 1_000_000_000)
            fleet.know(session, fleet.binding(elsewhere, 3), .confirmed, createdAtSeconds: began)
            fleet.pass(age)
            fleet.storeIsAvailable = false
            #expect(fleet.serve(session).route?.provenance == provenance)
            if provenance == .cached { #expect(fleet.entry(session)?.createdAtSeconds == began) }
        }
    }

    @Test("an expired entry names the backend of a placement only while the store may have lost data")
    func expiredPlacement() throws {
        for (isLive, isRefilling, isNamed) in [
            (true, false, false), (true, true, true), (false, false, true),
        ] {
            var fleet = try Fleet()
            let elsewhere = fleet.membership.ranked(session)[4]
            fleet.know(session, fleet.binding(elsewhere, 3), .confirmed)
            fleet.pass(fleet.settings.recordLifetimeMilliseconds + 1000)
            fleet.setChannel(live: isLive)
            fleet.replicas[0].coherence.setRefilling(isRefilling, primary: 0)
            let route = try #require(fleet.serve(session).route)
            #expect((route.backend == elsewhere) == isNamed, "live \(isLive), refilling \(isRefilling)")
            #expect(route.provenance == .claimed && route.binding.epoch == 1)
        }
    }

    @Test("guesses are offered last: not while anybody refills the store")
    func guessesWait() throws {
        var fleet = try Fleet()
        fleet.storeIsAvailable = false
        _ = fleet.serve(session)
        fleet.storeIsAvailable = true
        fleet.replicas[0].coherence.setRefilling(true, primary: 0)
        #expect(fleet.nextOffer() == nil && fleet.replicas[0].hasOffers)
        fleet.replicas[0].coherence.setRefilling(false, primary: 0)
        #expect(fleet.nextOffer() != nil)
    }

    @Test("whatever is written is announced: creates, restores, rebinds, drops and learnt keys")
    func written() throws {
        var fleet = try Fleet()
        func announced() -> [Fingerprint] {
            fleet.replicas[0].coherence.written.next(
                primary: 0, delayMilliseconds: 0, now: fleet.now)?.sessions ?? []
        }
        _ = fleet.serve(session)
        #expect(announced() == [session])
        _ = fleet.serve(session)
        #expect(announced() == [])
        let home = try #require(fleet.entry(session)).binding
        fleet.markDown(try #require(fleet.membership.index(of: home.backend)))
        _ = fleet.serve(session)
        #expect(announced() == [session])
        let issued = Fingerprint(high: 1, low: 1)
        fleet.learn(issued, from: 2)
        #expect(announced() == [issued])
        let lost = Fingerprint(high: 2, low: 2)
        fleet.know(lost, fleet.binding(3, 4), .confirmed, isStandby: true)
        _ = fleet.serve(lost)
        #expect(announced() == [lost])
    }

    @Test("what may have been written is announced too: an operation without a result")
    func doubtful() throws {
        for (failure, isAnnounced) in [(StoreFailure.late, true), (.lost, true), (.away, false), (.refused, false)] {
            var fleet = try Fleet()
            fleet.failure = failure
            _ = fleet.serve(session)
            let create = try #require(fleet.sent.first)
            _ = fleet.store.result(create, now: fleet.now)
            fleet.offerAll()
            let next = fleet.replicas[0].coherence.written.next(primary: 0, delayMilliseconds: 0, now: fleet.now)
            #expect(next.map { Set($0.sessions) } == (isAnnounced ? [session] : nil), "\(failure)")
        }
    }
}
