import Testing

@testable import Affinity

@Suite("Bounded load")
struct PlacementLoadTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    /// Fingerprints that all prefer the same backend: an adversary's choice.
    private func adversarial(_ membership: Membership, _ count: Int) -> [Fingerprint] {
        var random = Random(seed: 11)
        var found: [Fingerprint] = []
        while found.count < count {
            let fingerprint = random.fingerprint()
            if membership.ranked(fingerprint)[0] == 0 { found.append(fingerprint) }
        }
        return found
    }

    @Test(
        "keys that all prefer one backend stay within 1.25 of its fair share, rounded up",
        arguments: [[1, 1, 1, 1], [4, 2, 1, 1]])
    func adversary(weights: [UInt16]) throws {
        let names = ["a", "b", "c", "d"]
        let membership = try PlacementTests.membership(names, weights: weights)
        var load = PlacementLoad(backends: 4, halfLifeMilliseconds: 1_000_000)
        var counts = [0, 0, 0, 0]
        let sum = weights.reduce(0) { $0 + Int($1) }
        for (number, fingerprint) in adversarial(membership, 2000).enumerated() {
            let chosen = try #require(load.choose(fingerprint, of: membership, now: at(0)) { _ in true })
            load.placed(on: chosen, now: at(0))
            counts[chosen] += 1
            for (count, weight) in zip(counts, weights) {
                let bound = (5 * (number + 1) * Int(weight) + 4 * sum - 1) / (4 * sum)
                #expect(count <= bound, "\(counts) after \(number + 1)")
            }
        }
        #expect(counts[0] > 2000 * Int(weights[0]) / sum)
        #expect((0..<4).map { load.load(of: $0) } == counts)
    }

    @Test("with load in balance a session gets the first of its order")
    func balanced() throws {
        let membership = try PlacementTests.membership(PlacementTests.urls)
        var load = PlacementLoad(backends: 5, halfLifeMilliseconds: 1_000_000)
        var random = Random(seed: 12)
        var first = 0
        for _ in 0..<20_000 {
            let fingerprint = random.fingerprint()
            let chosen = try #require(load.choose(fingerprint, of: membership, now: at(0)) { _ in true })
            load.placed(on: chosen, now: at(0))
            if chosen == membership.ranked(fingerprint)[0] { first += 1 }
        }
        #expect(first > 19_900)
    }

    @Test("the share is counted over the backends that may take new sessions, and only those are chosen")
    func onlyUsable() throws {
        let membership = try PlacementTests.membership(["a", "b", "c", "d"], weights: [1, 1, 0, 1], draining: ["d"])
        var load = PlacementLoad(backends: 4, halfLifeMilliseconds: 1_000_000)
        var random = Random(seed: 13)
        for _ in 0..<100 {
            let chosen = load.choose(random.fingerprint(), of: membership, now: at(0)) { $0 != 0 }
            #expect(chosen == 1)
            load.placed(on: 1, now: at(0))
        }
        #expect(load.choose(random.fingerprint(), of: membership, now: at(0)) { $0 > 1 } == nil)
    }

    @Test("a backend that comes back empty is filled first")
    func comesBack() throws {
        let membership = try PlacementTests.membership(["a", "b"])
        var load = PlacementLoad(backends: 2, halfLifeMilliseconds: 1_000_000)
        for _ in 0..<100 { load.placed(on: 0, now: at(0)) }
        var random = Random(seed: 14)
        for _ in 0..<50 {
            let chosen = try #require(load.choose(random.fingerprint(), of: membership, now: at(0)) { _ in true })
            #expect(chosen == 1)
            load.placed(on: chosen, now: at(0))
        }
    }

    @Test("a load halves in a half-life, in whatever steps time passes, and is forgotten in the end")
    func decay() throws {
        let membership = try PlacementTests.membership(["a"])
        let fingerprint = Fingerprint(high: 1, low: 1)
        for pace: Int64 in [1, 100, 999, 8000, 16_000] {
            var load = PlacementLoad(backends: 1, halfLifeMilliseconds: 8000)
            for _ in 0..<1024 { load.placed(on: 0, now: at(0)) }
            for time in stride(from: pace, through: 16_000, by: Int64.Stride(pace)) {
                _ = load.choose(fingerprint, of: membership, now: at(time)) { _ in true }
            }
            _ = load.choose(fingerprint, of: membership, now: at(16_000)) { _ in true }
            #expect(abs(load.load(of: 0) - 256) <= 3, "\(load.load(of: 0)) at a pace of \(pace)")
            _ = load.choose(fingerprint, of: membership, now: Instant(nanoseconds: .max)) { _ in true }
            #expect(load.load(of: 0) == 0)
        }
    }

    @Test("a clock that stands, or seems to go back, changes nothing")
    func clock() throws {
        let membership = try PlacementTests.membership(["a"])
        var load = PlacementLoad(backends: 1, halfLifeMilliseconds: 8000)
        load.placed(on: 0, now: at(5000))
        _ = load.choose(Fingerprint(high: 1, low: 1), of: membership, now: at(0)) { _ in true }
        #expect(load.load(of: 0) == 1)
    }
}
