import LimpetTestKit
import Testing

@testable import Affinity

@Suite("Writes without a result")
struct UnansweredWriteTests {
    private let session = Fingerprint(high: 3, low: 4)

    private func announced(_ fleet: Fleet) -> (sessions: [Fingerprint], hasLeftOut: Bool)? {
        fleet.replicas[0].coherence.written.next(primary: 0, delayMilliseconds: 0, now: fleet.now)
    }

    /// A replica whose request for the session was decided by the cookie, because the store was late.
    private func late(_ failure: StoreFailure = .late) throws -> (Fleet, StoreOperation) {
        var fleet = try Fleet()
        fleet.failure = failure
        #expect(fleet.serve(session, hint: fleet.hint(2, 1)).route?.provenance == .hinted)
        fleet.failure = nil
        fleet.pass(100)
        return (fleet, try #require(fleet.sent.first))
    }

    @Test("the store is asked again, and what it then wrote is announced; the late write finds it and changes nothing")
    func overtaken() throws {
        var (fleet, create) = try late()
        #expect(announced(fleet) == nil)
        let question = fleet.nextOffer()
        #expect(question?.intendedBinding == fleet.binding(2, 1))
        let result = fleet.store.result(try #require(question), now: fleet.now)
        #expect(result == .written)
        _ = fleet.storeAnsweredInBackground(result, to: try #require(question))
        #expect(announced(fleet)?.sessions == [session])
        #expect(fleet.store.result(create, now: fleet.now) != .written)
        #expect(fleet.nextOffer() == nil && !fleet.replicas[0].hasOffers)
    }

    @Test("the store is asked again, and what was written meanwhile is announced")
    func carriedOut() throws {
        var (fleet, create) = try late()
        #expect(fleet.store.result(create, now: fleet.now) == .written)
        fleet.offerAll()
        #expect(announced(fleet)?.sessions == [session])
        #expect(fleet.nextOffer() == nil && announced(fleet) == nil)
    }

    @Test("what the store has answered since needs no question: it is announced")
    func answeredSince() throws {
        var (fleet, create) = try late()
        _ = fleet.store.result(create, now: fleet.now)
        #expect(fleet.serve(session, hint: fleet.hint(2, 1)).route?.provenance == .stored)
        #expect(fleet.nextOffer() == nil)
        #expect(announced(fleet)?.sessions == [session])
    }

    @Test("what was confirmed before, or to others, is no answer")
    func answeredBefore() throws {
        for isStandby in [false, true] {
            var (fleet, _) = try late()
            fleet.know(session, fleet.binding(2, 1), .confirmed, age: isStandby ? 0 : 1000, isStandby: isStandby)
            let question = fleet.nextOffer()
            #expect(question?.intendedBinding == fleet.binding(2, 1), "standby \(isStandby)")
        }
    }

    @Test("a question without an answer is asked again, until the record could not be in use any more")
    func again() throws {
        let other = Binding(backend: BackendHash(bits: 1), epoch: 1)
        let results = StoreFailure.allCases.map { StoreResult.unavailable($0) }
        for result in results + [.readOnly(other, remainingMilliseconds: 1000)] {
            var (fleet, _) = try late(.lost)
            for _ in 0..<3 {
                let question = fleet.nextOffer()
                _ = fleet.storeAnsweredInBackground(result, to: try #require(question, "\(result)"))
                #expect(announced(fleet) == nil)
            }
            #expect(fleet.replicas[0].hasOffers)
            fleet.pass(fleet.settings.recordLifetimeMilliseconds)
            #expect(fleet.nextOffer() == nil && !fleet.replicas[0].hasOffers)
        }
    }

    @Test("a guess that was made since is asked by, if its backend is usable; else the write itself")
    func guess() throws {
        for isUsable in [true, false] {
            var (fleet, _) = try late()
            fleet.know(session, Binding(backend: fleet.backend(4), epoch: 0), .guess)
            if !isUsable { fleet.markDown(4) }
            let question = fleet.nextOffer()
            #expect(question?.intendedBinding == fleet.binding(isUsable ? 4 : 2, 1))
        }
    }

    @Test("a higher epoch that is known by now is asked by, and a lower one is not")
    func epochs() throws {
        for (epoch, isBetter) in [(UInt32(3), true), (1, false)] {
            var fleet = try Fleet()
            fleet.failure = .late
            _ = fleet.serve(session, hint: fleet.hint(2, 2))
            fleet.know(session, fleet.binding(1, epoch), .confirmed, isStandby: true)
            let question = fleet.nextOffer()
            #expect(question?.intendedBinding == (isBetter ? fleet.binding(1, 3) : fleet.binding(2, 2)))
        }
    }

    @Test("a move without a result is not repeated: the store is asked by what it moved off")
    func rebind() throws {
        var fleet = try Fleet()
        let home = fleet.binding(1, 1)
        fleet.hold(session, home)
        let rebind = StoreOperation.rebind(
            session, from: home, to: fleet.backend(3), lifetimeMilliseconds: fleet.settings.recordLifetimeMilliseconds)
        _ = fleet.store.result(rebind, now: fleet.now)
        fleet.replicas[0].storeAnsweredEndedRequest(.unavailable(.lost), to: rebind, now: fleet.now)
        let question = fleet.nextOffer()
        #expect(question?.intendedBinding == home)
        let result = fleet.store.result(try #require(question), now: fleet.now)
        #expect(fleet.storeAnsweredInBackground(result, to: try #require(question)) == nil)
        #expect(announced(fleet)?.sessions == [session])
        #expect(fleet.entry(session)?.binding == fleet.binding(3, 2))
    }

    @Test("touches, drops, and what was not sent leave no question")
    func none() throws {
        var fleet = try Fleet()
        for failure in StoreFailure.allCases {
            for operation in [
                StoreOperation.touch(session, lifetimeMilliseconds: 1000),
                .drop(session, above: 0, lifetimeMilliseconds: 1000),
            ] { _ = fleet.storeAnsweredInBackground(.unavailable(failure), to: operation) }
            guard failure != .late, failure != .lost else { continue }
            let create = StoreOperation.create(session, fleet.backend(1), lifetimeMilliseconds: 1000)
            fleet.replicas[0].storeAnsweredEndedRequest(.unavailable(failure), to: create, now: fleet.now)
        }
        #expect(fleet.nextOffer() == nil && !fleet.replicas[0].hasOffers)
    }

    @Test("questions wait while anybody refills the store, and for their primary")
    func waits() throws {
        var (fleet, _) = try late()
        fleet.replicas[0].coherence.setRefilling(true, primary: 0)
        #expect(fleet.nextOffer() == nil && fleet.replicas[0].hasOffers)
        fleet.replicas[0].coherence.setRefilling(false, primary: 0)
        fleet.storeIsAvailable = false
        #expect(fleet.nextOffer() == nil && fleet.replicas[0].hasOffers)
        fleet.storeIsAvailable = true
        #expect(fleet.nextOffer() != nil)
    }

    @Test("they are bounded, each session counts once, and what finds no place is left out")
    func bounded() throws {
        var fleet = try Fleet()
        func lose(_ number: Int) {
            let create = StoreOperation.create(
                Fingerprint(high: UInt64(number), low: 1), fleet.backend(1), lifetimeMilliseconds: 1000)
            fleet.replicas[0].storeAnsweredEndedRequest(.unavailable(.late), to: create, now: fleet.now)
        }
        for number in 0..<10_000 * 2 { lose(number / 2) }
        #expect(fleet.replicas[0].offers.count == 10_000)
        #expect(announced(fleet) == nil)
        lose(10_000)
        #expect(announced(fleet)?.hasLeftOut == true)
        // The place of a question in flight may be taken.
        let next = fleet.nextOffer()
        let question = try #require(next)
        lose(10_001)
        #expect(announced(fleet) == nil)
        _ = fleet.storeAnsweredInBackground(.unavailable(.late), to: question)
        #expect(announced(fleet)?.hasLeftOut == true)
        #expect(fleet.replicas[0].offers.count == 10_000)
    }
}
