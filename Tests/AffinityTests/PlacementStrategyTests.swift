import Testing

@testable import Affinity

@Suite("Strategies of placement")
struct PlacementStrategyTests {
    private static func settings(_ placement: PlacementStrategy) -> AffinitySettings {
        AffinitySettings(idleTimeoutMilliseconds: 1_800_000, placement: placement)
    }

    private static func affinity(
        _ placement: PlacementStrategy, weights: [UInt16], draining: Set<String> = [], seed: UInt64? = nil
    ) throws -> SessionAffinity {
        let names = weights.indices.map { String(UnicodeScalar(UInt8(65 + $0))) }
        let membership = try PlacementTests.membership(names, weights: weights, draining: draining)
        return SessionAffinity(
            membership: membership, cache: BindingCache(entries: 100), coherence: .alone(),
            health: HealthTable(count: weights.count), settings: settings(placement), seed: seed)
    }

    /// The backends of so many requests without a session, by their names.
    private static func balance(_ affinity: inout SessionAffinity, _ count: Int) -> String {
        (0..<count).map { _ in
            affinity.balance(nil, now: Instant(nanoseconds: 0)).map { affinity.membership.backends[$0.backend].name }
                ?? "-"
        }
        .joined()
    }

    private static func counts(_ names: String) -> [Character: Int] {
        Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)
    }

    // MARK: wrr

    @Test("wrr is smooth: 11 to 3 is AAABAAAABAAABA, again and again")
    func smooth() throws {
        var affinity = try Self.affinity(.wrr, weights: [11, 3])
        #expect(Self.balance(&affinity, 28) == "AAABAAAABAAABAAAABAAAABAAABA")
    }

    @Test(
        "wrr is exact from any start, and loops do not start in step", arguments: [[1, 1, 1], [11, 3, 0], [5, 1, 1]])
    func exact(weights: [UInt16]) throws {
        var firsts: Set<Substring> = []
        let total = weights.reduce(0) { $0 + Int($1) }
        for seed in 0..<50 as Range<UInt64> {
            var affinity = try Self.affinity(.wrr, weights: weights, seed: seed)
            let names = Self.balance(&affinity, 20 * total)
            firsts.insert(names.prefix(total))
            let counts = Self.counts(names)
            for (name, weight) in zip("ABC", weights) {
                #expect(abs(counts[name, default: 0] - 20 * Int(weight)) <= 2, "\(counts) by seed \(seed)")
            }
        }
        #expect(firsts.count >= 3)
    }

    @Test("wrr skips who is down, draining, avoided, of weight 0; and places sessions in turn")
    func skips() throws {
        var affinity = try Self.affinity(.wrr, weights: [1, 1, 1, 0, 1, 1], draining: ["C"])
        affinity.health.markDown(0)
        affinity.health.setAvoided(4, true)
        #expect(Self.balance(&affinity, 6) == "BFBFBF")
        var random = Random(seed: 3)
        let fingerprints = (0..<40).map { _ in random.fingerprint() }
        var homes = [0, 0, 0, 0, 0, 0]
        for fingerprint in fingerprints {
            var decision = Decision(fingerprint: fingerprint, isNew: true)
            let step = affinity.begin(&decision, storeIsAvailable: true, now: Instant(nanoseconds: 0))
            guard case .forward(let route) = step else { continue }
            homes[route.backend] += 1
        }
        #expect(homes == [0, 20, 0, 0, 0, 20])
    }

    @Test(
        "a new session goes to none that most of the fleet cannot reach, while there is another",
        arguments: PlacementStrategy.allCases)
    func avoided(placement: PlacementStrategy) throws {
        var affinity = try Self.affinity(placement, weights: [1, 1, 1])
        affinity.health.setAvoided(1, true)
        func homes() -> Set<Int> {
            var random = Random(seed: 5)
            return Set(
                (0..<60).compactMap { _ in
                    var decision = Decision(fingerprint: random.fingerprint(), isNew: true)
                    let step = affinity.begin(&decision, storeIsAvailable: true, now: Instant(nanoseconds: 0))
                    guard case .forward(let route) = step else { return nil }
                    return route.backend
                })
        }
        #expect(homes() == [0, 2])
        affinity.health.markDown(0)
        affinity.health.markDown(2)
        #expect(homes() == [1])
    }

    @Test("where it was handed back a request goes to the next in order, and its session stays")
    func nextChoice() throws {
        let affinity = try Self.affinity(.hrw, weights: [1, 1, 1])
        let fingerprint = Fingerprint(high: 1, low: 2)
        let order = affinity.membership.ranked(fingerprint)
        let decision = Decision(fingerprint: fingerprint)
        func binding(_ index: Int, _ epoch: UInt32) -> Binding {
            Binding(backend: affinity.membership.backends[index].hash, epoch: epoch)
        }
        func nextChoice(_ provenance: Provenance, besides count: Int) -> Step {
            affinity.nextChoice(
                decision, from: Route(backend: order[0], binding: binding(order[0], 7), provenance: provenance),
                besides: order.prefix(count).map { affinity.membership.backends[$0].hash })
        }
        let detour = Route(backend: order[1], binding: binding(order[0], 7), provenance: .detoured)
        #expect(nextChoice(.cached, besides: 1) == .forward(detour))
        let begun = Route(backend: order[2], binding: binding(order[2], 1), provenance: .placed)
        #expect(nextChoice(.placed, besides: 2) == .forward(begun))
        let balanced = Route(backend: order[1], binding: binding(order[1], 0), provenance: .balanced)
        #expect(nextChoice(.balanced, besides: 1) == .forward(balanced))
        #expect(nextChoice(.cached, besides: 3) == .refuse(.noBackend))
    }

    @Test("handed back, a session that is to go nowhere else is refused; one that begins with this request is not")
    func elsewhereRejected() throws {
        let settings = AffinitySettings(idleTimeoutMilliseconds: 1_800_000, onUnavailable: .reject)
        let fleet = try Fleet(settings: settings)
        let decision = Decision(fingerprint: Fingerprint(high: 1, low: 2))
        func nextChoice(_ provenance: Provenance) -> Step {
            let route = Route(backend: 0, binding: fleet.binding(0, 1), provenance: provenance)
            return fleet.replicas[0].nextChoice(decision, from: route, besides: [fleet.backend(0)])
        }
        for known in [Provenance.cached, .stored, .claimed, .hinted] {
            #expect(nextChoice(known) == .refuse(.backendUnavailable))
        }
        for begun in [Provenance.placed, .balanced] {
            guard case .forward(let route) = nextChoice(begun) else {
                Issue.record("\(begun) is refused")
                continue
            }
            #expect(route.backend != 0 && route.provenance == begun)
        }
    }

    @Test("wrr goes on when backends change: nobody is starved or flooded for what large weights left behind")
    func wrrReconfigured() throws {
        var affinity = try Self.affinity(.wrr, weights: [60_000, 1, 1])
        _ = Self.balance(&affinity, 30_000)
        let membership = try PlacementTests.membership(["D", "A", "B"])
        affinity.reconfigure(
            membership: membership, health: HealthTable(count: 3), settings: Self.settings(.wrr))
        let counts = Self.counts(Self.balance(&affinity, 30))
        for name in "ABD" { #expect((8...12).contains(counts[name, default: 0]), "\(counts)") }
    }

    // MARK: p2c

    @Test("p2c goes by weight where nothing is in flight")
    func drawn() throws {
        var affinity = try Self.affinity(.p2c, weights: [6, 3, 1, 0])
        let counts = Self.counts(Self.balance(&affinity, 10_000))
        for (name, share) in [("A", 6000), ("B", 3000), ("C", 1000)] as [(Character, Int)] {
            #expect(abs(counts[name, default: 0] - share) < 300, "\(counts)")
        }
        #expect(counts["D"] == nil)
    }

    @Test("p2c keeps requests in flight level by weight, whatever they take")
    func level() throws {
        var affinity = try Self.affinity(.p2c, weights: [4, 2, 2], seed: 9)
        var random = Random(seed: 5)
        var underWay: [Int] = []
        for _ in 0..<8000 {
            if underWay.count >= 80 {
                affinity.inFlight.ended(underWay.remove(at: Int(random.next() % UInt64(underWay.count))))
            }
            let route = affinity.balance(nil, now: Instant(nanoseconds: 0))
            let backend = try #require(route).backend
            affinity.inFlight.began(backend)
            underWay.append(backend)
        }
        #expect((36...44).contains(affinity.inFlight[0]), "\(affinity.inFlight)")
        affinity.inFlight = InFlight([0, 100, 0])
        #expect(!Self.balance(&affinity, 500).contains("B"))
    }

    @Test("p2c knows after a change of backends what is in flight")
    func p2cReconfigured() throws {
        var affinity = try Self.affinity(.p2c, weights: [1, 1, 1])
        for _ in 0..<50 { affinity.inFlight.began(1) }
        let membership = try PlacementTests.membership(["X", "B"])
        affinity.reconfigure(
            membership: membership, health: HealthTable(count: 2), settings: Self.settings(.p2c))
        #expect(affinity.inFlight[0] == 0 && affinity.inFlight[1] == 50)
        #expect(Self.balance(&affinity, 50) == String(repeating: "X", count: 50))
        for stranger in [-1, 2, 7] {
            affinity.inFlight.began(stranger)
            affinity.inFlight.ended(stranger)
        }
    }

    // MARK: All of them

    @Test(
        "what is decided without the store is the same on every replica, by any strategy",
        arguments: PlacementStrategy.allCases)
    func guesses(placement: PlacementStrategy) throws {
        var fleet = try Fleet(replicas: 2, settings: Self.settings(placement))
        fleet.storeIsAvailable = false
        var random = Random(seed: 4)
        for number in 0..<100 {
            let fingerprint = random.fingerprint()
            let route = fleet.serve(fingerprint, isNew: number % 2 == 0, replica: number % 2).route
            #expect(route?.backend == fleet.membership.ranked(fingerprint)[0] && route?.provenance == .hashed)
        }
    }

    @Test("a session that was placed stays, by any strategy", arguments: PlacementStrategy.allCases)
    func stays(placement: PlacementStrategy) throws {
        var fleet = try Fleet(replicas: 3, settings: Self.settings(placement))
        var random = Random(seed: 6)
        for _ in 0..<50 {
            let fingerprint = random.fingerprint()
            let first = fleet.serve(fingerprint).route
            #expect(first?.provenance == .claimed)
            for replica in 0..<3 {
                #expect(fleet.serve(fingerprint, replica: replica).route?.backend == first?.backend)
            }
        }
    }

    @Test("hrw without sessions: a client stays on its backend; one without an address takes turns")
    func byClient() throws {
        var affinity = try Self.affinity(.hrw, weights: [1, 1, 1])
        var random = Random(seed: 7)
        for _ in 0..<20 {
            let client = random.fingerprint()
            for _ in 0..<3 {
                let route = affinity.balance(client, now: Instant(nanoseconds: 0))
                #expect(route?.backend == affinity.membership.ranked(client)[0] && route?.provenance == .balanced)
            }
        }
        #expect(Self.balance(&affinity, 6) == "ABCABC")
    }

    @Test(
        "a service all of whose backends are draining still serves new clients, where nobody else is up",
        arguments: PlacementStrategy.allCases)
    func allDraining(placement: PlacementStrategy) throws {
        var fleet = try Fleet(
            weights: [1, 1, 0, 1, 1], draining: ["web-1", "web-2", "web-3", "web-4"], settings: Self.settings(placement)
        )
        var random = Random(seed: 8)
        func homes(isNew: Bool) -> Set<Int> {
            Set((0..<60).compactMap { _ in fleet.serve(random.fingerprint(), isNew: isNew).route?.backend })
        }
        #expect(homes(isNew: true) == [4] && homes(isNew: false) == [4])
        fleet.markDown(4)
        #expect(homes(isNew: true) == [0, 1, 3] && homes(isNew: false) == [0, 1, 3])
        let balanced = (0..<30).compactMap { _ in fleet.replicas[0].balance(nil, now: Instant(nanoseconds: 0))?.backend
        }
        #expect(Set(balanced) == [0, 1, 3])
        fleet.storeIsAvailable = false
        #expect(homes(isNew: false) == [0, 1, 3], "guesses too")
        for index in [0, 1, 3] { fleet.markDown(index) }
        #expect(fleet.serve(random.fingerprint()) == .refusal(.noBackend), "weight 0 takes nobody")
    }
}
