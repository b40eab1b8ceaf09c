import Testing

@testable import Affinity

@Suite("A backend that a request says its session comes from")
struct ProposalTests {
    private let fingerprint = Fingerprint(high: 0x12, low: 0x34)

    /// A backend that the session would not be placed on.
    private func stranger(_ fleet: Fleet) -> Int { fleet.membership.ranked(fingerprint)[3] }

    @Test("is where it is placed, draining or not")
    func placed() throws {
        for draining in [[], Set(Fleet.names)] {
            var fleet = try Fleet(draining: draining)
            let index = stranger(fleet)
            let route = fleet.serve(fingerprint, isNew: true, proposal: fleet.backend(index)).route
            #expect(route == Route(backend: index, binding: fleet.binding(index, 1), provenance: .placed))
            #expect(fleet.sent.isEmpty)
        }
    }

    @Test("is where it is sent without the store, as a guess that only its cookie remembers")
    func alone() throws {
        var fleet = try Fleet()
        fleet.storeIsAvailable = false
        let index = stranger(fleet)
        let route = fleet.serve(fingerprint, isNew: true, proposal: fleet.backend(index)).route
        #expect(route == Route(backend: index, binding: fleet.binding(index, 0), provenance: .hinted))
        #expect(fleet.replicas[0].cache.counts().all == 0)
    }

    @Test("is passed over where it is down, fails, or is not configured")
    func unusable() throws {
        var fleet = try Fleet()
        let (home, index) = (fleet.membership.ranked(fingerprint)[0], stranger(fleet))
        for unknown in [BackendHash(bits: 12345), .tombstone] {
            var fleet = try Fleet()
            #expect(fleet.serve(fingerprint, isNew: true, proposal: unknown).route?.backend == home)
        }
        var decision = Decision(fingerprint: fingerprint, isNew: true, proposal: fleet.backend(index))
        let step = fleet.begin(&decision)
        #expect(fleet.finish(&decision, step).route?.backend == index)
        fleet.markDown(index)
        let next = fleet.backendFailed(&decision).route
        #expect(next?.backend != index && next?.provenance == .placed)
    }

    // D5, D10
    @Test("is where a session key that nobody knows is placed, for all who come later")
    func unknownKey() throws {
        var fleet = try Fleet(replicas: 2)
        let index = stranger(fleet)
        let first = fleet.serve(fingerprint, proposal: fleet.backend(index)).route
        #expect(first == Route(backend: index, binding: fleet.binding(index, 1), provenance: .claimed))
        #expect(fleet.serve(fingerprint, replica: 1).route?.backend == index)
        // One that was dropped is placed like a new one.
        var dropped = try Fleet()
        dropped.hold(fingerprint, Binding(backend: .tombstone, epoch: 4))
        let moved = dropped.serve(fingerprint, proposal: dropped.backend(index)).route
        #expect(moved == Route(backend: index, binding: dropped.binding(index, 5), provenance: .rebound))
    }

    // D5, D23
    @Test("is where a session key that nobody knows is sent without the store, remembered as a guess")
    func unknownKeyAlone() throws {
        var fleet = try Fleet()
        fleet.storeIsAvailable = false
        let index = stranger(fleet)
        let route = fleet.serve(fingerprint, proposal: fleet.backend(index)).route
        #expect(route == Route(backend: index, binding: fleet.binding(index, 0), provenance: .hinted))
        #expect(fleet.entry(fingerprint)?.kind == .guess)
        #expect(fleet.serve(fingerprint).route?.backend == index)
    }

    // D5
    @Test("is looked for only where the session may have to be placed")
    func lazily() throws {
        var fleet = try Fleet()
        let index = stranger(fleet)
        var looked = 0
        func begin(_ fleet: inout Fleet) -> Step {
            var decision = Decision(fingerprint: fingerprint)
            let backend = fleet.backend(index)
            func proposal() -> BackendHash? {
                looked += 1
                return backend
            }
            return fleet.replicas[0].begin(
                &decision, storeIsAvailable: fleet.storeIsAvailable, proposal: proposal(), now: fleet.now)
        }
        fleet.know(fingerprint, fleet.binding(index, 2), .confirmed)
        _ = begin(&fleet)
        fleet.setChannel(live: false)
        _ = begin(&fleet)
        fleet.storeIsAvailable = false
        _ = begin(&fleet)
        #expect(looked == 0)
        fleet.replicas[0].cache.remove(fingerprint)
        _ = begin(&fleet)
        #expect(looked == 1)
        // A guess counts as long as its backend is there.
        _ = begin(&fleet)
        #expect(looked == 1)
        fleet.markDown(index)
        _ = begin(&fleet)
        #expect(looked == 2)
    }

    // D4
    @Test("gives way to a further key of the request that this replica knows by more than a guess")
    func otherKey() throws {
        let (known, guessed) = (Fingerprint(high: 71, low: 1), Fingerprint(high: 71, low: 2))
        var fleet = try Fleet()
        let index = stranger(fleet)
        fleet.know(known, fleet.binding(3, 2), .confirmed)
        fleet.know(guessed, fleet.binding(2, 0), .guess)
        var decision = Decision(fingerprint: fingerprint, proposal: fleet.backend(index))
        let step = fleet.replicas[0].begin(
            &decision, storeIsAvailable: true, otherKeys: [guessed, known], now: fleet.now)
        #expect(step == .forward(Route(backend: 3, binding: fleet.binding(3, 2), provenance: .cached)))
        #expect(decision.fingerprint == known)
    }

    @Test("overrides nothing that is known")
    func known() throws {
        let fleet = try Fleet()
        let index = stranger(fleet)
        let other = fleet.membership.ranked(fingerprint)[1]
        for isNew in [false, true] {
            var fleet = try Fleet()
            fleet.hold(fingerprint, fleet.binding(other, 3))
            fleet.know(fingerprint, fleet.binding(other, 3), .confirmed)
            #expect(fleet.serve(fingerprint, isNew: isNew, proposal: fleet.backend(index)).route?.backend == other)
            fleet.setChannel(live: false)
            #expect(fleet.serve(fingerprint, isNew: isNew, proposal: fleet.backend(index)).route?.backend == other)
        }
    }
}
