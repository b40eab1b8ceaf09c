import LimpetTestKit
import Testing

@testable import Affinity

@Suite("Without the store, and after")
struct OutageTests {
    let fingerprint = Fingerprint(high: 0xFEDC_BA98_7654_3210, low: 0x0123_4567_89AB_CDEF)

    private func order(_ fleet: Fleet) -> [Int] { fleet.membership.ranked(fingerprint) }

    private func outage() throws -> Fleet {
        var fleet = try Fleet(replicas: 2)
        fleet.storeIsAvailable = false
        return fleet
    }

    // D22
    @Test("known sessions stay where they are as long as their lifetime, by the cache")
    func cached() throws {
        var fleet = try outage()
        fleet.know(fingerprint, fleet.binding(3, 2), .confirmed)
        fleet.pass(fleet.settings.recordLifetimeMilliseconds - 200)
        #expect(fleet.serve(fingerprint).route == Route(backend: 3, binding: fleet.binding(3, 2), provenance: .cached))
        fleet.pass(300)
        // Others may have kept it alive: a guess of the same backend.
        #expect(fleet.serve(fingerprint).route == Route(backend: 3, binding: fleet.binding(3, 0), provenance: .cached))
        #expect(fleet.sent.isEmpty)
    }

    // D6, D22
    @Test("known sessions stay where they are, by the hint")
    func hinted() throws {
        var fleet = try outage()
        let hint = fleet.hint(3, 2)
        #expect(
            fleet.serve(fingerprint, hint: hint).route
                == Route(backend: 3, binding: fleet.binding(3, 2), provenance: .hinted, createdAtSeconds: 0))
    }

    @Test("the best living knowledge counts: by epoch, ties confirmed > hint > dirty > guess")
    func knowledge() throws {
        let cases: [(BindingCache.Kind, UInt32, UInt32, wins: Int)] = [
            (.confirmed, 2, 2, 3), (.confirmed, 2, 3, 1), (.confirmed, 3, 2, 3), (.dirty, 2, 2, 1), (.dirty, 3, 2, 3),
            (.guess, 0, 0, 1), (.guess, 0, 1, 1),
        ]
        for (kind, entry, hint, wins) in cases {
            var fleet = try outage()
            fleet.know(fingerprint, fleet.binding(3, entry), kind)
            let route = try #require(fleet.serve(fingerprint, hint: fleet.hint(1, hint)).route)
            #expect(route.backend == wins, "\(kind) \(entry) against a hint of \(hint)")
            #expect(route.provenance == (wins == 3 ? .cached : .hinted))
            #expect(route.binding.epoch >= hint)
        }
    }

    // D24
    @Test("known but not usable: next in order, epoch + 1, remembered as dirty")
    func dirty() throws {
        for fromHint in [true, false] {
            var fleet = try outage()
            let (home, next) = (order(fleet)[0], order(fleet)[1])
            fleet.markDown(home)
            if !fromHint { fleet.know(fingerprint, fleet.binding(home, 6), .confirmed) }
            let hint = fromHint ? fleet.hint(home, 6) : nil
            let route = fleet.serve(fingerprint, hint: hint).route
            let moved = fleet.binding(next, 7)
            #expect(
                route
                    == Route(backend: next, binding: moved, provenance: .rebound, createdAtSeconds: fromHint ? 0 : nil))
            #expect(fleet.entry(fingerprint)?.kind == .dirty)
            #expect(fleet.entry(fingerprint)?.binding == fleet.binding(next, 7))
            fleet.markUp(home)
            #expect(fleet.serve(fingerprint, hint: hint).route?.backend == next)
        }
    }

    // D24, D25
    @Test("a tombstone known here: next in order, epoch + 1, remembered as dirty")
    func tombstone() throws {
        var fleet = try outage()
        fleet.know(fingerprint, Binding(backend: .tombstone, epoch: 3), .confirmed)
        let home = order(fleet)[0]
        #expect(
            fleet.serve(fingerprint).route
                == Route(backend: home, binding: fleet.binding(home, 4), provenance: .rebound))
        #expect(fleet.entry(fingerprint)?.kind == .dirty)
    }

    // D23
    @Test("unknown: the first usable in order on every replica, epoch 0, remembered as a guess")
    func guess() throws {
        var fleet = try outage()
        let (home, next) = (order(fleet)[0], order(fleet)[1])
        for replica in 0...1 {
            let route = fleet.serve(fingerprint, replica: replica).route
            #expect(route == Route(backend: home, binding: fleet.binding(home, 0), provenance: .hashed))
            #expect(fleet.entry(fingerprint, replica: replica)?.kind == .guess)
        }
        #expect(fleet.serve(fingerprint).route?.provenance == .cached)
        fleet.markDown(home)
        #expect(
            fleet.serve(fingerprint).route == Route(backend: next, binding: fleet.binding(next, 0), provenance: .hashed)
        )
        fleet.markUp(home)
        #expect(fleet.serve(fingerprint).route?.backend == next)
    }

    @Test("a guess is hashed without regard to load")
    func guessIgnoresLoad() throws {
        var fleet = try Fleet()
        var random = Random(seed: 23)
        fleet.storeIsAvailable = false
        for _ in 0..<300 {
            let fingerprint = random.fingerprint()
            #expect(fleet.serve(fingerprint).route?.backend == fleet.membership.ranked(fingerprint)[0])
        }
    }

    @Test("a new session during an outage is hashed, and only its cookie remembers it")
    func newSession() throws {
        var fleet = try outage()
        let route = try #require(fleet.serve(fingerprint, isNew: true).route)
        #expect(
            route == Route(backend: order(fleet)[0], binding: fleet.binding(order(fleet)[0], 0), provenance: .hashed))
        #expect(fleet.replicas[0].cache.counts().all == 0)
    }

    // D16
    @Test("a store that fails at any question of a request costs it nothing", arguments: StoreFailure.allCases)
    func unavailable(failure: StoreFailure) throws {
        for failing in 0..<3 {
            var fleet = try Fleet()
            let (home, next) = (order(fleet)[0], order(fleet)[1])
            fleet.hold(fingerprint, fleet.binding(home, 1))
            fleet.markDown(home)
            fleet.store.put(
                fingerprint, fleet.binding(home, 1), until: fleet.now.advanced(byMilliseconds: 60_000))
            var decision = Decision(fingerprint: fingerprint)
            var step = fleet.begin(&decision)
            for _ in 0..<failing {
                guard case .send(let operation) = step else { break }
                let result = fleet.store.result(operation, now: fleet.now)
                step = fleet.result(&decision, result, to: operation)
            }
            if case .send(let operation) = step { step = fleet.result(&decision, .unavailable(failure), to: operation) }
            #expect(fleet.finish(&decision, step).route?.backend == next)
        }
    }

    // MARK: After an outage, who wins

    @Test("dirty against nothing or a lower epoch: ours")
    func dirtyWins() throws {
        for held: UInt32? in [nil, 1, 2] {
            var fleet = try Fleet()
            if let held { fleet.hold(fingerprint, fleet.binding(1, held)) }
            fleet.know(fingerprint, fleet.binding(2, 3), .dirty)
            #expect(
                fleet.serve(fingerprint).route == Route(backend: 2, binding: fleet.binding(2, 3), provenance: .claimed))
            #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(2, 3))
            #expect(fleet.entry(fingerprint)?.kind == .confirmed)
        }
    }

    @Test("dirty against its epoch or a higher one: the store's")
    func dirtyLoses() throws {
        for held: UInt32 in [3, 4, 900] {
            var fleet = try Fleet()
            fleet.hold(fingerprint, fleet.binding(1, held))
            fleet.know(fingerprint, fleet.binding(2, 3), .dirty)
            #expect(
                fleet.serve(fingerprint).route
                    == Route(backend: 1, binding: fleet.binding(1, held), provenance: .stored))
            #expect(fleet.entry(fingerprint)?.kind == .confirmed)
        }
    }

    @Test("a guess against a record whose backend is usable: the store's")
    func guessLoses() throws {
        var fleet = try Fleet()
        fleet.hold(fingerprint, fleet.binding(1, 1))
        fleet.know(fingerprint, fleet.binding(2, 0), .guess)
        #expect(fleet.serve(fingerprint).route == Route(backend: 1, binding: fleet.binding(1, 1), provenance: .stored))
    }

    @Test("a guess against a record whose backend is not usable: the next in order")
    func guessMoves() throws {
        var fleet = try Fleet()
        let (home, next) = (order(fleet)[0], order(fleet)[1])
        fleet.hold(fingerprint, fleet.binding(home, 1))
        fleet.know(fingerprint, fleet.binding(order(fleet)[2], 0), .guess)
        fleet.markDown(home)
        #expect(
            fleet.serve(fingerprint).route
                == Route(backend: next, binding: fleet.binding(next, 2), provenance: .rebound))
    }

    @Test("I9: a guess whose backend fails stays a guess, and overrides no record")
    func guessNeverGrows() throws {
        var fleet = try outage()
        let bound = order(fleet)[4]
        fleet.hold(fingerprint, fleet.binding(bound, 1))
        for place in 0..<3 {
            #expect(fleet.serve(fingerprint).route?.backend == order(fleet)[place])
            fleet.markDown(order(fleet)[place])
        }
        fleet.storeIsAvailable = true
        #expect(
            fleet.serve(fingerprint).route
                == Route(backend: bound, binding: fleet.binding(bound, 1), provenance: .stored))
    }

    @Test("once confirmed, lifetime not over, against nothing or a lower epoch: ours")
    func confirmedRestores() throws {
        for (held, mine) in [(nil, 1), (nil, 4), (3, 4)] as [(UInt32?, UInt32)] {
            var fleet = try Fleet()
            if let held { fleet.hold(fingerprint, fleet.binding(1, held)) }
            fleet.know(fingerprint, fleet.binding(2, mine), .confirmed, age: 60_000)
            #expect(
                fleet.serve(fingerprint).route
                    == Route(backend: 2, binding: fleet.binding(2, mine), provenance: .claimed))
            #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(2, mine))
        }
    }

    // D31
    @Test("a binding at the highest epoch is detoured rather than moved", arguments: [true, false])
    func lastEpoch(storeIsAvailable: Bool) throws {
        var fleet = try Fleet()
        fleet.storeIsAvailable = storeIsAvailable
        let (home, next) = (order(fleet)[0], order(fleet)[1])
        fleet.hold(fingerprint, fleet.binding(home, Binding.epochMax))
        fleet.know(fingerprint, fleet.binding(home, Binding.epochMax), .confirmed)
        fleet.markDown(home)
        let route = fleet.serve(fingerprint).route
        #expect(route == Route(backend: next, binding: fleet.binding(home, Binding.epochMax), provenance: .detoured))
        #expect(fleet.store.binding(fingerprint, now: fleet.now)?.epoch == Binding.epochMax)
    }
}
