import Testing

@testable import Affinity

@Suite("Slow start")
struct SlowStartTests {
    private static let start: Int64 = 1000

    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    /// Of 10,000 new sessions at a time after b came back, the share that b gets.
    private func share(
        _ strategy: PlacementStrategy, after milliseconds: Int64, weights: [UInt16] = [1, 1]
    ) throws -> Double {
        let membership = try PlacementTests.membership(["a", "b"], weights: weights)
        let health = HealthTable(count: 2)
        var settings = AffinitySettings(placement: strategy)
        settings.slowStartMilliseconds = 1000
        var affinity = SessionAffinity(
            membership: membership, cache: BindingCache(entries: 64), coherence: .alone(), health: health,
            settings: settings, seed: 7)
        health.backends[1].setRisen(at: at(Self.start))
        var count = 0
        for session in 0..<10_000 {
            let fingerprint = Fingerprint(high: 0, low: SplitMix.mixed(UInt64(session)))
            let now = at(Self.start + milliseconds)
            // Whatever it was given before does not count against it.
            let decision = Decision(fingerprint: fingerprint, isNew: true)
            guard case .forward(let route) = affinity.placeUnrecorded(decision, now) else { continue }
            if route.backend == 1 { count += 1 }
        }
        return Double(count) / 10_000
    }

    @Test("gives a backend that came back a share that grows linearly", arguments: PlacementStrategy.allCases)
    func linear(_ strategy: PlacementStrategy) throws {
        try #expect(share(strategy, after: 0) < 0.02)
        try #expect(abs(share(strategy, after: 250) - 0.125) < 0.02)
        try #expect(abs(share(strategy, after: 500) - 0.25) < 0.02)
        try #expect(abs(share(strategy, after: 1000) - 0.5) < 0.02)
        try #expect(abs(share(strategy, after: 99_000) - 0.5) < 0.02)
    }

    @Test("scales what the weights give it")
    func weights() throws {
        try #expect(abs(share(.wrr, after: 500, weights: [1, 3]) - 0.375) < 0.03)
    }

    @Test("is all over for a backend that was never down, and refuses nobody where there is no other")
    func alone() throws {
        let state = BackendState()
        #expect(state.share(slowStartMilliseconds: 1000, now: at(0)) == BackendState.wholeShare)
        state.setRisen(at: at(100))
        #expect(state.share(slowStartMilliseconds: 0, now: at(100)) == BackendState.wholeShare)
        #expect(state.share(slowStartMilliseconds: 1000, now: at(50)) == BackendState.wholeShare / 100)
        #expect(state.share(slowStartMilliseconds: 1000, now: at(600)) == BackendState.wholeShare / 2)
        let membership = try PlacementTests.membership(["a"], weights: [1])
        for strategy in PlacementStrategy.allCases {
            let health = HealthTable(count: 1)
            health.backends[0].setRisen(at: at(0))
            var settings = AffinitySettings(placement: strategy)
            settings.slowStartMilliseconds = 1000
            var affinity = SessionAffinity(
                membership: membership, cache: BindingCache(entries: 64), coherence: .alone(), health: health,
                settings: settings, seed: 7)
            for session in 0..<100 {
                let decision = Decision(fingerprint: Fingerprint(high: 0, low: UInt64(session)), isNew: true)
                #expect(affinity.place(decision, at(0)) == 0)
                #expect(affinity.balance(nil, now: at(0))?.backend == 0)
            }
        }
    }

    @Test("never changes a session's order: moves and decisions without the store go where they always went")
    func order() throws {
        let membership = try PlacementTests.membership(["a", "b", "c"], weights: [1, 1, 1])
        let health = HealthTable(count: 3)
        var settings = AffinitySettings()
        settings.slowStartMilliseconds = 1000
        let affinity = SessionAffinity(
            membership: membership, cache: BindingCache(entries: 64), coherence: .alone(), health: health,
            settings: settings, seed: 7)
        let fingerprints = (0..<100).map { Fingerprint(high: 0, low: SplitMix.mixed($0)) }
        let before = fingerprints.map { affinity.firstUsable($0) }
        health.backends[1].setRisen(at: at(0))
        #expect(fingerprints.map { affinity.firstUsable($0) } == before)
    }
}

@Suite("A window of failures")
struct FailureWindowTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test("is full once so many failures lie within it, and then begins anew")
    func window() {
        var window = FailureWindow(windowMilliseconds: 1000, countMax: 3)
        let failures: [(Int64, Bool)] = [
            (0, false), (900, false), (1000, false), (1899, true), (1900, false), (1901, false), (1902, true),
        ]
        for (time, isReached) in failures {
            let reached = window.failed(now: at(time))
            #expect(reached == isReached, "at \(time)")
        }
    }

    @Test("of one failure is full at once")
    func one() {
        var window = FailureWindow(windowMilliseconds: 1000, countMax: 1)
        for time in [Int64(0), 1, 5000] {
            let reached = window.failed(now: at(time))
            #expect(reached)
        }
    }

    @Test("agrees with a count over all times", arguments: 0..<20)
    func model(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let (width, countMax) = (Int64(1 + random.below(500)), 1 + random.below(6))
        var window = FailureWindow(windowMilliseconds: width, countMax: countMax)
        var (times, now) = ([Int64](), Int64(0))
        for _ in 0..<500 {
            now += Int64(random.below(200))
            times.append(now)
            let expected = times.count { now - $0 < width } >= countMax
            if expected { times = [] }
            let reached = window.failed(now: at(now))
            #expect(reached == expected)
        }
    }
}
