import Testing

@testable import Affinity

@Suite("Placement")
struct PlacementTests {
    static let key = FingerprintKey(k0: 0x0123_4567_89AB_CDEF, k1: 0xFEDC_BA98_7654_3210)
    static let urls = (8081...8085).map { "http://10.0.0.1:\($0)" }

    static func membership(_ names: [String], weights: [UInt16]? = nil, draining: Set<String> = []) throws -> Membership
    {
        try Membership(
            names.enumerated().map { ($1, weights?[$0] ?? 1, draining.contains($1)) }, key: key)
    }

    @Test("fingerprints, backends' hashes and orders are those of the golden vectors")
    func golden() throws {
        for row in try Golden.rows("backends.csv") {
            let name = BackendName(String(row[0]), key: Self.key)
            #expect(name.hash.bits == UInt32(row[1]))
            #expect(name.seed == UInt64(row[2], radix: 16))
        }
        for row in try Golden.rows("fingerprints.csv") {
            let name = String(row[2])
            let source: SessionSource =
                switch row[1] {
                case "header": .header(name)
                case "query": .query(name)
                case "appCookie": .appCookie(name)
                case "cookie": .cookie
                case _: .clientAddress
                }
            let scope = FingerprintScope(key: Self.key, service: String(row[0]), source: source)
            let hex = Array(row[3])
            let bytes = stride(from: 0, to: hex.count, by: 2).compactMap { UInt8(String(hex[$0...$0 + 1]), radix: 16) }
            let fingerprint = bytes.withUnsafeBytes { scope.fingerprint(of: $0) }
            #expect(fingerprint.high == UInt64(row[4], radix: 16))
            #expect(fingerprint.low == UInt64(row[5], radix: 16))
        }
        for row in try Golden.rows("placement.csv") {
            let members = row[1].split(separator: ";").map { $0.split(separator: "=") }
            let membership = try Self.membership(
                members.map { String($0[0]) }, weights: members.compactMap { UInt16($0[1]) })
            let fingerprint = Fingerprint(high: 0, low: try #require(UInt64(row[0], radix: 16)))
            #expect(membership.ranked(fingerprint) == row[2].split(separator: ";").compactMap { Int($0) })
        }
    }

    @Test("log2 in fixed point grows with its argument and is within 3 in a million of the logarithm's true value")
    func logarithm() {
        #expect(FixedLog2.of(0) == 0)
        for power in 0..<64 { #expect(FixedLog2.of(1 << UInt64(power)) == UInt64(power) << 32) }
        // 2^32 * log2(3), log2(10), log2(2^64 - 1), from tables.
        for (value, exact) in [(UInt64(3), 6_807_362_106), (10, 14_267_572_527), (.max, 274_877_906_944)]
            as [(UInt64, Int64)]
        {
            #expect(abs(Int64(FixedLog2.of(value)) - exact) < 12_885)
        }
        var random = Random(seed: 3)
        for _ in 0..<10_000 {
            let value = random.next() >> UInt64.random(in: 0..<63, using: &random)
            #expect(FixedLog2.of(value) <= FixedLog2.of(value &+ 1 == 0 ? value : value + 1))
        }
    }

    @Test("the first usable backend in the order is chosen, and so on to the last")
    func chooseFollowsRanked() throws {
        let membership = try Self.membership(Self.urls, weights: [5, 0, 1, 1, 3], draining: [Self.urls[2]])
        var random = Random(seed: 4)
        for _ in 0..<500 {
            let fingerprint = random.fingerprint()
            let order = membership.ranked(fingerprint)
            #expect(order.sorted() == [0, 1, 2, 3, 4])
            #expect(order.last == 1)
            var remainingMilliseconds = Set(0..<5)
            for place in order where place != 1 && place != 2 {
                #expect(membership.choose(fingerprint) { remainingMilliseconds.contains($0) } == place)
                remainingMilliseconds.remove(place)
            }
            #expect(membership.choose(fingerprint) { remainingMilliseconds.contains($0) } == nil)
        }
    }

    @Test(
        "keys spread over near-identical names by their weights, within 2 %",
        arguments: [[1, 1, 1, 1, 1], [2, 1, 1, 1, 1], [4, 1, 1, 1, 1], [4, 2, 2, 1, 1], [300, 100, 100, 100, 0]])
    func balance(weights: [UInt16]) throws {
        let membership = try Self.membership(Self.urls, weights: weights)
        // More keys than 100,000: below a weight of one in eight their own noise would near the 2 %.
        let keys = 400_000
        let scope = FingerprintScope(key: Self.key, service: "shop", source: .header("X-Session-ID"))
        var counts = [Int](repeating: 0, count: 5)
        for key in 0..<keys {
            let fingerprint = scope.of("user-\(key)")
            let chosen = try #require(membership.choose(fingerprint) { _ in true })
            counts[chosen] += 1
        }
        let sum = weights.reduce(0) { $0 + Int($1) }
        for (count, weight) in zip(counts, weights) {
            let share = Double(keys) * Double(weight) / Double(sum)
            #expect(abs(Double(count) - share) <= 0.02 * share, "\(counts) for \(weights)")
        }
    }

    @Test("the keys of a backend that is gone spread over all others")
    func secondChoices() throws {
        let membership = try Self.membership(Self.urls)
        var random = Random(seed: 5)
        var counts = [Int](repeating: 0, count: 5)
        for _ in 0..<100_000 {
            let fingerprint = random.fingerprint()
            guard membership.choose(fingerprint, where: { _ in true }) == 0 else { continue }
            counts[try #require(membership.choose(fingerprint) { $0 != 0 })] += 1
        }
        for count in counts[1...] { #expect(abs(count - 5000) < 350, "\(counts)") }
    }

    @Test("I8: to remove a backend moves only its own keys, and the order of the others stands")
    func removal() throws {
        let weights: [UInt16] = [3, 1, 1, 2, 1]
        let all = try Self.membership(Self.urls, weights: weights)
        let fewer = try Self.membership(
            Self.urls.filter { $0 != Self.urls[2] }, weights: [3, 1, 2, 1])
        var random = Random(seed: 6)
        for _ in 0..<20_000 {
            let fingerprint = random.fingerprint()
            let before = all.ranked(fingerprint).filter { $0 != 2 }.map { all.backends[$0].name }
            #expect(before == fewer.ranked(fingerprint).map { fewer.backends[$0].name })
        }
    }

    @Test("I8: to raise a weight moves keys only to that backend, from equal weights too")
    func raisedWeight() throws {
        var random = Random(seed: 7)
        let fingerprints = (0..<20_000).map { _ in random.fingerprint() }
        for (before, after) in [([1, 1, 1, 1, 1], [1, 1, 2, 1, 1]), ([7, 1, 1, 2, 0], [7, 1, 9, 2, 0])]
            as [([UInt16], [UInt16])]
        {
            let old = try Self.membership(Self.urls, weights: before)
            let new = try Self.membership(Self.urls, weights: after)
            var moved = 0
            for fingerprint in fingerprints {
                let was = old.choose(fingerprint) { _ in true }
                let now = new.choose(fingerprint) { _ in true }
                if was != now {
                    #expect(now == 2)
                    moved += 1
                }
                #expect(old.ranked(fingerprint).filter { $0 != 2 } == new.ranked(fingerprint).filter { $0 != 2 })
            }
            #expect(moved > 1000)
        }
    }

    @Test("I7: the order depends on names and weights, not on the order of the configuration")
    func configuredOrder() throws {
        let weights: [UInt16] = [3, 1, 1, 2, 1]
        let forward = try Self.membership(Self.urls, weights: weights)
        let backward = try Self.membership(Self.urls.reversed(), weights: weights.reversed())
        var random = Random(seed: 8)
        for _ in 0..<5000 {
            let fingerprint = random.fingerprint()
            #expect(forward.ranked(fingerprint) == backward.ranked(fingerprint).map { 4 - $0 })
        }
    }

    @Test("the first choice leaves out a draining backend and one of weight 0, even as the last ones left")
    func takesNothingNew() throws {
        let membership = try Self.membership(["a", "b"], weights: [1, 0], draining: ["a"])
        #expect(membership.choose(Fingerprint(high: 1, low: 2)) { _ in true } == nil)
        #expect(try Self.membership([]).choose(Fingerprint(high: 1, low: 2)) { _ in true } == nil)
    }

    @Test("a backend is found by its hash; a tombstone and a stranger are not")
    func places() throws {
        let names = (0..<1000).map { "web-\($0)" }
        let membership = try Self.membership(names)
        for (index, backend) in membership.backends.enumerated() {
            #expect(membership.index(of: backend.hash) == index)
        }
        #expect(membership.index(of: .tombstone) == nil)
        let known = Set(membership.backends.map(\.hash))
        for bits in 1..<5000 where !known.contains(BackendHash(bits: UInt32(bits))) {
            #expect(membership.index(of: BackendHash(bits: UInt32(bits))) == nil)
        }
    }

    @Test("two backends of one name are refused, and the error names it")
    func sameNames() {
        #expect(throws: Membership.Diagnostic.sameName("web-1")) {
            _ = try Self.membership(["web-1", "web-2", "web-1"])
        }
        #expect("\(Membership.Diagnostic.sameName("web-1"))".contains("\"web-1\""))
    }

    @Test("two backends whose hashes meet are refused, and the error names both")
    func meetingHashes() throws {
        var seen: [BackendHash: String] = [:]
        var pair: (String, String)?
        for number in 0..<400_000 where pair == nil {
            let name = "web-\(number)"
            if let other = seen.updateValue(name, forKey: .of(name: name, key: Self.key)) { pair = (other, name) }
        }
        let (first, second) = try #require(pair)
        #expect(throws: Membership.Diagnostic.meetingHashes(first, second)) {
            _ = try Self.membership(["a", first, "b", second])
        }
        let text = "\(Membership.Diagnostic.meetingHashes(first, second))"
        #expect(text.contains(first) && text.contains(second))
    }
}
