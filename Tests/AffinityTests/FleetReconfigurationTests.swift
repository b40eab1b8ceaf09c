import Testing

@testable import Affinity

@Suite("A fleet that is configured anew")
struct FleetReconfigurationTests {
    @Test("hears of it at once, holds moves back while replicas differ, and agrees when the last has followed")
    func fingerprint() {
        var fleet = HealthFleet.running(3)
        #expect(fleet.replicas.allSatisfy { $0.agree })
        fleet.reconfigure(0, configuration: 8)
        #expect(!fleet.replicas[0].agree, "it knows at once that the others are not there yet")
        fleet.run(15)
        #expect(fleet.replicas.allSatisfy { !$0.agree })
        fleet.run(300)
        fleet.reconfigure(1, configuration: 8)
        fleet.run(15)
        #expect(fleet.replicas.allSatisfy { !$0.agree })
        fleet.reconfigure(2, configuration: 8)
        #expect(fleet.replicas[2].agree)
        fleet.run(15)
        #expect(fleet.replicas.allSatisfy { $0.agree })
    }

    @Test("says nothing out of turn where nothing has changed that others should know")
    func unchanged() {
        var fleet = HealthFleet.running(2)
        fleet.run(20)
        let count = fleet.replicas[0].publications.count
        for _ in 0..<5 { fleet.reconfigure(0) }
        #expect(fleet.replicas[0].publications.count == count)
    }

    @Test("goes on with the dispute about a backend that stays")
    func stays() {
        var fleet = HealthFleet.running(3)
        fleet.setPath(.refused, 0..<3)
        fleet.request(at: 0)
        fleet.run(300)
        let other = FleetBackend(service: Self.service, backend: BackendHash(bits: 77))
        fleet.reconfigure(0, configuration: 8, backends: [HealthFleet.backend, other])
        #expect(fleet.leaves(0))
        fleet.run(500)
        #expect((0..<3).allSatisfy(fleet.leaves))
        fleet.setPath(.open, 0..<3)
        fleet.run(1500)
        #expect(fleet.replicas.allSatisfy { $0.isUp && !$0.mayReassign })
    }

    @Test("drops the dispute about a backend that is gone, and what followed from it", arguments: [false, true])
    func gone(isRenewed: Bool) {
        var fleet = HealthFleet.running(3)
        fleet.setPath(.refused, 0..<3)
        fleet.request(at: 0)
        fleet.run(300)
        #expect(
            fleet.replicas[0].mayReassign
                && fleet.replicas[1].health.roster.members.values.contains { !$0.down.isEmpty })
        fleet.setPath(.open, [0])
        if isRenewed {
            fleet.reconfigure(0, renewed: [HealthFleet.backend])
        } else {
            fleet.reconfigure(0, backends: [])
        }
        #expect(!fleet.replicas[0].mayReassign && !fleet.replicas[0].health.isDown(HealthFleet.backend))
        fleet.run(15)
        let told = fleet.replicas[1].health.roster.members.values.filter { $0.sender.name == "r0" }
        #expect(told.map(\.down) == [[]])
    }

    @Test("takes no part in disputes about backends that it does not have, and does as soon as it has them")
    func added() {
        var fleet = HealthFleet.running(2)
        fleet.reconfigure(0, backends: [])
        fleet.setPath(.refused, 0..<2)
        fleet.request(at: 1)
        fleet.run(600)
        #expect(fleet.replicas[0].probesAt.isEmpty)
        fleet.reconfigure(0)
        fleet.run(1200)
        #expect(!fleet.replicas[0].probesAt.isEmpty && fleet.leaves(0))
    }

    private static let service = ServiceHash(bits: 5)
}
