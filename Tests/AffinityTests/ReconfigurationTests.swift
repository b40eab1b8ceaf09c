import LimpetTestKit
import Testing

@testable import Affinity

@Suite("Decisions across a change of backends")
struct ReconfigurationTests {
    private let fingerprint = Fingerprint(high: 0x9A, low: 0xBC)
    private static let shifted = ["new", "web-3", "web-1", "web-5", "web-4", "web-2"]

    @Test("sessions stay with their backends by name, whatever place those have now")
    func names() throws {
        var fleet = try Fleet(replicas: 2)
        var random = Random(seed: 31)
        let fingerprints = (0..<100).map { _ in random.fingerprint() }
        let homes = fingerprints.map { fleet.serve($0).route.map { fleet.membership.backends[$0.backend].name } }
        try fleet.reconfigure(Self.shifted)
        for (fingerprint, home) in zip(fingerprints, homes) {
            for replica in 0...1 {
                let route = fleet.serve(fingerprint, replica: replica).route
                #expect(route.map { fleet.membership.backends[$0.backend].name } == home)
            }
        }
    }

    @Test("an answer that comes afterwards is understood by the backends there are now")
    func inFlight() throws {
        for names in [Self.shifted, ["web-1", "new"]] {
            var fleet = try Fleet()
            let home = fleet.membership.ranked(fingerprint)[0]
            fleet.hold(fingerprint, fleet.binding(home, 1))
            let hash = fleet.backend(home)
            var decision = Decision(fingerprint: fingerprint)
            guard case .send(let operation) = fleet.begin(&decision) else {
                Issue.record("nothing was asked")
                return
            }
            try fleet.reconfigure(names)
            let said = fleet.store.result(operation, now: fleet.now)
            let step = fleet.result(&decision, said, to: operation)
            let route = try #require(fleet.finish(&decision, step).route)
            #expect(fleet.backend(route.backend) == hash || fleet.membership.index(of: hash) == nil)
            #expect(route.provenance == .stored || fleet.membership.index(of: hash) == nil)
        }
    }

    @Test("load, health and offers are kept for backends that stay; another half-life applies from now on")
    func kept() throws {
        var fleet = try Fleet()
        var random = Random(seed: 32)
        for _ in 0..<50 { _ = fleet.serve(random.fingerprint(), isNew: true) }
        let loads = Dictionary(
            uniqueKeysWithValues: Fleet.names.indices.map { (Fleet.names[$0], fleet.replicas[0].load.load(of: $0)) })
        fleet.markDown(0)
        fleet.storeIsAvailable = false
        _ = fleet.serve(fingerprint)
        try fleet.reconfigure(Self.shifted)
        for (index, backend) in fleet.membership.backends.enumerated() {
            #expect(fleet.replicas[0].load.load(of: index) == loads[backend.name] ?? 0)
            #expect(fleet.replicas[0].health.isUp(index) == (backend.name != "web-1"))
        }
        #expect(fleet.replicas[0].hasOffers)
    }

    @Test("a table of health that succeeds another shares what is found out of backends that stay, both ways")
    func sharedHealth() {
        let old = HealthTable(count: 3, judgesAlone: false)
        old.markDown(0)
        old.setMayReassign(0, true)
        old.setAvoided(1, true)
        let new = HealthTable(succeeding: old, kept: [nil, 1, 0, 7, -1])
        #expect((0..<5).map { new.isUp($0) } == [true, true, false, true, true])
        #expect(new.mayReassign(2) && new.isAvoided(1) && !new.isAvoided(0) && !new.judgesAlone && new.count == 5)
        #expect(old.markUp(0) && new.isUp(2) && !new.mayReassign(2))
        new.markDown(1)
        #expect(!old.isUp(1))
        new.markDown(0)
        #expect(old.isUp(0) && old.isUp(2))
    }
}
