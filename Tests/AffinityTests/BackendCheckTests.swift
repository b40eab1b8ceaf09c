import Testing

@testable import Affinity

@Suite("When a backend is checked, and what that means")
struct BackendCheckTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    /// The middle of the jitter.
    private static let middle = UInt64(1) << 63

    private static func pace(rise: Int = 1, fall: Int = 1) -> CheckPace {
        CheckPace(
            intervalMilliseconds: 8000, unhealthyIntervalMilliseconds: 1600, timeoutMilliseconds: 500, rise: rise,
            fall: fall)
    }

    private func verdicts(
        _ results: [Bool], rise: Int = 1, fall: Int = 1, from standing: BackendCheck.Standing = .up
    ) -> [BackendCheck.Verdict?] {
        var check = BackendCheck(pace: Self.pace(rise: rise, fall: fall), standing: standing)
        return results.enumerated().map { index, isGood in
            let now = at(Int64(index) * 10_000)
            #expect(check.wanted(now: now) == .check)
            return check.ended(isGood: isGood, random: 0, now: now).verdict
        }
    }

    @Test("the first check is made at once, the next ones an interval after the start of the last, and one at a time")
    func pace() {
        var check = BackendCheck(pace: Self.pace(), standing: .up)
        #expect(check.begin(now: at(100)) == .check)
        #expect(check.begin(now: at(100)) == .doNothing)
        let first = check.ended(isGood: true, random: Self.middle, now: at(300))
        #expect(first == .init(isWanted: false, verdict: nil, action: .wait(until: at(8100))))
        #expect(check.isDue(now: at(8099)) == .doNothing)
        #expect(check.isDue(now: at(8100)) == .check)
        #expect(check.isDue(now: at(8101)) == .doNothing)
        let second = check.ended(isGood: false, random: Self.middle, now: at(8200))
        #expect(second == .init(isWanted: false, verdict: .down, action: .wait(until: at(9700))))
        let stray = check.ended(isGood: true, random: 0, now: at(8300))
        #expect(stray == .init(isWanted: false, verdict: nil, action: .doNothing))
        #expect(check.isDue(now: at(20_000)) == .check)
        let late = check.ended(isGood: false, random: Self.middle, now: at(30_000))
        #expect(late.action == .wait(until: at(30_000)), "a check that took longer than the interval")
    }

    @Test("jitter moves a check by up to an eighth of the interval")
    func jitter() {
        for (random, due) in [(UInt64(0), Int64(7000)), (.max, 8999)] {
            var check = BackendCheck(pace: Self.pace(), standing: .up)
            _ = check.begin(now: at(0))
            #expect(check.ended(isGood: true, random: random, now: at(1)).action == .wait(until: at(due)))
        }
    }

    @Test("as many failures in a row as fall make a backend failing, as many good ones as rise end that")
    func thresholds() {
        #expect(verdicts([true, false, false, true]) == [nil, .down, nil, .up])
        #expect(
            verdicts([false, false, true, false, false, false, false], fall: 3)
                == [nil, nil, nil, nil, nil, .down, nil])
        #expect(
            verdicts([true, true, false, true, true, true, true], rise: 3, from: .down)
                == [nil, nil, nil, nil, nil, .up, nil])
    }

    @Test("a backend that was added is proven by one good check, and failing after as many bad ones as for any other")
    func unproven() {
        #expect(verdicts([true, true], rise: 3, from: .unproven) == [.up, nil])
        #expect(verdicts([false, true, false], rise: 3, fall: 2, from: .unproven) == [nil, .up, nil])
        #expect(verdicts([false, false, true, true], rise: 2, fall: 2, from: .unproven) == [nil, .down, nil, .up])
    }

    @Test("until it was good once, an added backend is checked each second: it may be starting")
    func starting() {
        var check = BackendCheck(pace: Self.pace(), standing: .unproven)
        _ = check.begin(now: at(0))
        let first = check.ended(isGood: false, random: Self.middle, now: at(1))
        #expect(first.verdict == .down && first.action == .wait(until: at(1000)))
        #expect(check.isDue(now: at(1000)) == .check)
        let second = check.ended(isGood: true, random: Self.middle, now: at(1001))
        #expect(second.verdict == .up && second.action == .wait(until: at(9000)))
        #expect(check.isDue(now: at(9000)) == .check)
        #expect(check.ended(isGood: false, random: Self.middle, now: at(9001)).action == .wait(until: at(10_600)))
    }

    @Test("what the fleet wants to know is checked at once, or answered by the check in flight")
    func wanted() {
        var check = BackendCheck(pace: Self.pace(fall: 3), standing: .up)
        _ = check.begin(now: at(0))
        #expect(check.wanted(now: at(5)) == .doNothing)
        #expect(check.ended(isGood: true, random: Self.middle, now: at(10)).isWanted)
        #expect(check.wanted(now: at(20)) == .check)
        let outcome = check.ended(isGood: false, random: Self.middle, now: at(30))
        #expect(outcome == .init(isWanted: true, verdict: nil, action: .wait(until: at(8020))))
        #expect(check.isDue(now: at(8000)) == .doNothing, "the earlier wait does not count")
    }

    @Test("other evidence against a backend makes it down, and only good checks bring it back")
    func failed() {
        var check = BackendCheck(pace: Self.pace(rise: 2), standing: .up)
        _ = check.begin(now: at(0))
        #expect(check.failed(byFleet: false, random: Self.middle, now: at(5)) == .doNothing, "a check is in flight")
        #expect(check.standing == .down)
        #expect(check.ended(isGood: true, random: Self.middle, now: at(10)).verdict == nil)
        #expect(check.wanted(now: at(20)) == .check)
        #expect(check.ended(isGood: true, random: Self.middle, now: at(30)).verdict == .up)
        #expect(check.failed(byFleet: false, random: Self.middle, now: at(40)) == .wait(until: at(1640)))
    }

    @Test("a thousand random schedules never check twice at once, and never stop checking", arguments: 0..<20)
    func schedules(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var check = BackendCheck(pace: Self.pace(rise: 2, fall: 2), standing: .up)
        var (now, due) = (Int64(0), Int64?.none)
        var isChecking = check.begin(now: at(0)) == .check
        func take(_ action: BackendCheck.Action) {
            switch action {
            case .doNothing: break
            case .wait(let until): due = until.nanoseconds / 1_000_000
            case .check:
                #expect(!isChecking)
                isChecking = true
            }
        }
        for _ in 0..<1000 {
            now += Int64(random.below(3000))
            switch random.below(4) {
            case 0: take(check.wanted(now: at(now)))
            case 1: take(check.failed(byFleet: false, random: random.next(), now: at(now)))
            case 2: take(check.isDue(now: at(now)))
            default:
                guard isChecking else { continue }
                isChecking = false
                take(check.ended(isGood: random.below(2) == 0, random: random.next(), now: at(now)).action)
            }
            #expect(isChecking || due.map { $0 <= now + 9000 } ?? false)
        }
    }
}

@Suite("What made a backend failing")
struct FailingReasonTests {
    @Test("fits into a number and back, whatever the number")
    func codes() {
        let reasons: [FailingReason] = [
            .status(100), .status(503), .status(599), .timedOut, .connectionRefused, .connectTimedOut, .connectFailed,
            .closed, .malformed, .redirects, .container, .unknown,
        ]
        for reason in reasons { #expect(FailingReason(code: reason.code) == reason) }
        #expect(FailingReason(code: 4000) == nil)
        #expect(FailingReason.status(.max).code == FailingReason.status(999).code)
        #expect(FailingReason.status(503).text == "status 503")
    }

    @Test("is kept apart for checks, requests and containers, and told while the cause stands")
    func apart() {
        let state = BackendState()
        state.begin(.failing, by: .status(503))
        state.begin(.erring, by: .closed)
        state.begin(.unhealthy)
        #expect(state.failingReasons == [.status(503), .closed, .container])
        #expect(state.causes == .failing)
        state.end(.failing)
        state.end(.unhealthy)
        #expect(state.failingReasons == [.closed] && !state.isUp)
        #expect(state.end(.erring) == true)
        #expect(state.failingReasons.isEmpty && state.isUp)
    }
}

@Suite("A backend that waits for its first good check")
struct NewcomerTests {
    @Test(
        "gets no new sessions while another can take them, and keeps those it has",
        arguments: PlacementStrategy.allCases)
    func placement(_ strategy: PlacementStrategy) throws {
        let membership = try PlacementTests.membership(["a", "b"], weights: [1, 1])
        let health = HealthTable(count: 2)
        var affinity = SessionAffinity(
            membership: membership, cache: BindingCache(entries: 64), coherence: .alone(), health: health,
            settings: AffinitySettings(placement: strategy), seed: 1)
        health.backends[1].setNewcomer(true)
        for session in 0..<100 {
            let decision = Decision(fingerprint: Fingerprint(high: 1, low: UInt64(session)), hint: nil, isNew: true)
            #expect(affinity.place(decision, Instant(nanoseconds: 0)) == 0)
        }
        #expect(health.isUp(1), "sessions that are bound to it go there")
        health.markDown(0)
        #expect(affinity.balance(nil, now: Instant(nanoseconds: 0))?.backend == 1, "there is no other")
        health.markUp(0)
        health.backends[1].setNewcomer(false)
        let places = (0..<100).map { session in
            affinity.place(
                Decision(fingerprint: Fingerprint(high: 1, low: UInt64(session)), hint: nil, isNew: true),
                Instant(nanoseconds: 0))
        }
        #expect(places.contains(1))
    }

    @Test("makes the service above it one that gets new sessions only without others")
    func above() throws {
        let child = HealthTable(count: 1)
        child.backends[0].setNewcomer(true)
        let membership = try PlacementTests.membership(["a"], weights: [1])
        let table = HealthTable(of: [(child, membership.takersOfNewSessions)])
        #expect(table.isUp(0) && table.isAvoided(0))
    }
}
