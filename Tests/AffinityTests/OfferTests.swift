import LimpetTestKit
import Testing

@testable import Affinity

@Suite("Telling the store after an outage")
struct OfferTests {
    private func sessions(_ count: UInt64) -> [Fingerprint] {
        var random = Random(seed: 61)
        return (0..<count).map { _ in random.fingerprint() }
    }

    /// Offers everything there is, the store answering at once.
    @discardableResult
    private func sweep(_ fleet: inout Fleet) -> [StoreOperation] {
        var made: [StoreOperation] = []
        while let offer = fleet.nextOffer() {
            made.append(offer)
            var next: StoreOperation? = offer
            while let operation = next {
                next = fleet.storeAnsweredInBackground(fleet.store.result(operation, now: fleet.now), to: operation)
            }
        }
        return made
    }

    @Test("sessions moved and guessed at without the store are told it by a sweep, moves first")
    func swept() throws {
        var fleet = try Fleet()
        let (moved, guessed) = (sessions(20), sessions(40).suffix(20))
        for session in moved { fleet.know(session, fleet.binding(fleet.membership.ranked(session)[0], 1), .confirmed) }
        fleet.storeIsAvailable = false
        fleet.setChannel(live: false)
        fleet.markDown(0)
        for session in guessed + moved { _ = fleet.serve(session) }
        let dirty = moved.filter { fleet.entry($0)?.kind == .dirty }
        #expect(!dirty.isEmpty)
        fleet.setChannel(live: true, isNew: true)
        fleet.storeIsAvailable = true
        #expect(fleet.replicas[0].hasOffers)
        let made = sweep(&fleet)
        #expect(made.count == dirty.count + guessed.count)
        #expect(made.prefix(dirty.count).allSatisfy { $0.intendedBinding?.epoch == 2 })
        #expect(made.dropFirst(dirty.count).allSatisfy { $0.intendedBinding?.epoch == 1 })
        #expect(!fleet.replicas[0].hasOffers)
        for session in dirty + guessed {
            #expect(fleet.entry(session)?.kind == .confirmed)
            #expect(fleet.store.binding(session, now: fleet.now) == fleet.entry(session)?.binding)
        }
    }

    @Test("a session that a request has told of meanwhile is not told of again")
    func toldAlready() throws {
        var fleet = try Fleet()
        let session = sessions(1)[0]
        fleet.storeIsAvailable = false
        _ = fleet.serve(session)
        fleet.storeIsAvailable = true
        _ = fleet.serve(session)
        let none = fleet.nextOffer()
        #expect(none == nil)
    }

    @Test("I9: a guess that is offered overrides nothing")
    func guess() throws {
        var fleet = try Fleet()
        let session = sessions(1)[0]
        fleet.storeIsAvailable = false
        let guessed = try #require(fleet.serve(session).route)
        fleet.storeIsAvailable = true
        fleet.hold(session, fleet.binding((guessed.backend + 1) % 5, 1))
        sweep(&fleet)
        #expect(fleet.entry(session)?.binding == fleet.binding((guessed.backend + 1) % 5, 1))
    }

    @Test("an offer without an answer is made again")
    func unanswered() throws {
        var fleet = try Fleet()
        let session = sessions(1)[0]
        fleet.storeIsAvailable = false
        _ = fleet.serve(session)
        fleet.storeIsAvailable = true
        let first = fleet.nextOffer()
        let offer = try #require(first)
        let none = fleet.nextOffer()
        #expect(none == nil)
        let next = fleet.storeAnsweredInBackground(.unavailable(.late), to: offer)
        #expect(next == nil)
        let again = fleet.nextOffer()
        #expect(again == offer)
    }

    @Test("after another lineage own rebinds, restores and drops of the last minute are repeated, once")
    func repeated() throws {
        var fleet = try Fleet()
        let sessions = sessions(2)
        for (session, pause) in zip(sessions, [30_000, 0] as [Int64]) {
            let home = fleet.membership.ranked(session)[0]
            fleet.hold(session, fleet.binding(home, 1))
            fleet.know(session, fleet.binding(home, 1), .confirmed)
            fleet.markDown(home)
            #expect(fleet.serve(session).route?.provenance == .rebound)
            fleet.markUp(home)
            fleet.pass(pause + 20_000)
        }
        fleet.store.flush()
        let none = fleet.nextOffer()
        #expect(none == nil)
        fleet.pass(11_000)
        fleet.setChannel(live: true, isNew: true, lineage: 1)
        let made = sweep(&fleet)
        // The first was written more than a minute ago.
        #expect(made.map(\.fingerprint) == [sessions[1]])
        #expect(fleet.store.binding(sessions[1], now: fleet.now) == fleet.entry(sessions[1])?.binding)
        let more = sweep(&fleet)
        #expect(more.isEmpty)
    }

    /// A session of which this replica wrote epoch 2.
    private func written(_ fleet: inout Fleet) throws -> Fingerprint {
        let session = sessions(1)[0]
        let home = fleet.membership.ranked(session)[0]
        fleet.hold(session, fleet.binding(home, 1))
        fleet.know(session, fleet.binding(home, 1), .confirmed)
        fleet.markDown(home)
        #expect(fleet.serve(session).route?.provenance == .rebound)
        return session
    }

    @Test("what was repeated is repeated after the next loss too, though the store had it still at the last")
    func repeatedAgain() throws {
        var fleet = try Fleet()
        let session = try written(&fleet)
        for lineage in 1...3 as ClosedRange<UInt64> {
            if lineage != 2 { fleet.store.flush() }
            fleet.setChannel(live: true, isNew: true, lineage: lineage)
            let made = sweep(&fleet)
            #expect(made.map(\.fingerprint) == [session])
            #expect(fleet.store.binding(session, now: fleet.now)?.epoch == 2)
        }
    }

    @Test("a drop is repeated after a loss")
    func droppedAgain() throws {
        var fleet = try Fleet()
        let session = sessions(1)[0]
        let drop = StoreOperation.drop(
            session, above: 3, lifetimeMilliseconds: fleet.settings.recordLifetimeMilliseconds)
        let next = fleet.storeAnsweredInBackground(fleet.store.result(drop, now: fleet.now), to: drop)
        #expect(next == nil)
        fleet.store.flush()
        fleet.setChannel(live: true, isNew: true, lineage: 1)
        sweep(&fleet)
        #expect(fleet.store.binding(session, now: fleet.now) == Binding(backend: .tombstone, epoch: 4))
    }

    @Test("a repeat that is refused outlives the session's entry, and a guess or a lower epoch in its place")
    func refusedRepeat() throws {
        for other in [nil, BindingCache.Kind.guess, .confirmed] {
            var fleet = try Fleet()
            let session = try written(&fleet)
            fleet.setChannel(live: true, isNew: true, lineage: 1)
            let first = fleet.nextOffer()
            let offer = try #require(first)
            fleet.replicas[0].cache.remove(session)
            if let other { fleet.know(session, fleet.binding(3, other == .guess ? 0 : 1), other) }
            _ = fleet.storeAnsweredInBackground(.unavailable(.refused), to: offer)
            let again = fleet.nextOffer()
            #expect(again?.intendedBinding == offer.intendedBinding)
        }
    }

    @Test("a write whose session may be over is not repeated: its key may stand for another by now")
    func overMeanwhile() throws {
        var fleet = try Fleet(settings: AffinitySettings(idleTimeoutMilliseconds: 30_000))
        _ = try written(&fleet)
        fleet.pass(fleet.settings.recordLifetimeMilliseconds)
        fleet.setChannel(live: true, isNew: true, lineage: 1)
        let none = fleet.nextOffer()
        #expect(none == nil)
    }

    @Test("after another lineage of one primary its own writes are repeated, those of the others are kept")
    func repeatedOfOnePrimary() {
        var offers = Offers(lineages: [0, 0])
        let primaries = PrimaryMap(count: 2)
        for number in 0..<4 as Range<UInt64> {
            offers.note(
                OwnWrite(
                    fingerprint: Fingerprint(high: number, low: 0),
                    binding: Binding(backend: BackendHash(bits: 1), epoch: 2), createdAtSeconds: nil,
                    at: Instant(nanoseconds: 0)))
        }
        func repeats(of primary: Int, lineage: UInt64) -> [UInt64] {
            offers.observe(lineage: lineage, of: primary, primaries, now: Instant(nanoseconds: 0))
            var numbers: [UInt64] = []
            while let write = offers.nextRepeat() { numbers.append(write.fingerprint.high) }
            return numbers
        }
        #expect(repeats(of: 1, lineage: 1) == [1, 3])
        #expect(repeats(of: 1, lineage: 2) == [])
        #expect(repeats(of: 0, lineage: 1) == [0, 2])
        #expect(offers.lineages == [1, 2])
    }

    @Test("an offer whose primary may not be asked waits behind the others, and is kept", arguments: [false, true])
    func waitsForItsPrimary(isGuess: Bool) throws {
        var fleet = try Fleet()
        fleet.storeIsAvailable = false
        let sessions = sessions(2)
        for session in sessions {
            let home = fleet.membership.ranked(session)[0]
            if !isGuess { fleet.know(session, fleet.binding(home, 1), .confirmed) }
            fleet.markDown(home)
            fleet.setChannel(live: false)
            #expect(fleet.serve(session).route?.provenance == (isGuess ? .hashed : .rebound))
            fleet.markUp(home)
        }
        let now = fleet.now
        let first = fleet.replicas[0].nextOffer(now: now) { $0 != sessions[0] }
        #expect(first == nil && fleet.replicas[0].hasOffers)
        let second = fleet.replicas[0].nextOffer(now: now) { $0 != sessions[0] }
        #expect(second?.fingerprint == sessions[1])
        let third = fleet.replicas[0].nextOffer(now: now) { _ in true }
        #expect(third?.fingerprint == sessions[0])
    }

    @Test("a write that is to be repeated waits for its primary, too")
    func repeatWaitsForItsPrimary() throws {
        var fleet = try Fleet()
        let session = try written(&fleet)
        fleet.setChannel(live: true, isNew: true, lineage: 1)
        fleet.storeIsAvailable = false
        let none = fleet.nextOffer()
        #expect(none == nil && fleet.replicas[0].hasOffers)
        fleet.storeIsAvailable = true
        let offer = fleet.nextOffer()
        #expect(offer?.fingerprint == session)
    }

    @Test("what waits to be told is bounded")
    func bounded() {
        var offers = Offers(lineages: [0])
        for session in sessions(250_000) { offers.add(session, isGuess: true) }
        #expect(offers.count == 100_000)
        for number in 0..<30_000 as Range<UInt32> {
            offers.note(
                OwnWrite(
                    fingerprint: Fingerprint(high: 1, low: UInt64(number)),
                    binding: Binding(backend: BackendHash(bits: 1), epoch: number + 1), createdAtSeconds: nil,
                    at: Instant(nanoseconds: 0)))
        }
        offers.observe(lineage: 1, of: 0, PrimaryMap(count: 1), now: Instant(nanoseconds: 0))
        #expect(offers.count == 110_000)
    }
}
