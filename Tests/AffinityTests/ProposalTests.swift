import Testing

@testable import Affinity

@Suite("A backend that a new session says it comes from")
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
            #expect(fleet.asked.isEmpty)
        }
    }

    @Test("is where it is sent without the store, as a guess that only its cookie remembers")
    func alone() throws {
        var fleet = try Fleet()
        fleet.storeMayBeAsked = false
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

    @Test("overrides nothing that is known, and means nothing of a session that is not new")
    func known() throws {
        var fleet = try Fleet()
        let (home, index) = (fleet.membership.ranked(fingerprint)[0], stranger(fleet))
        let other = fleet.membership.ranked(fingerprint)[1]
        #expect(fleet.serve(fingerprint, proposal: fleet.backend(index)).route?.backend == home)
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
