import Testing

@testable import Affinity

@Suite("Health judged by the fleet: chance")
struct FleetHealthChanceTests {
    @Test(
        "whatever is late or lost, the one that is cut off moves nobody, and all move once the backend is gone",
        arguments: UInt64(1)...40)
    func cutOff(seed: UInt64) {
        var random = Random(seed: seed)
        let count = Int.random(in: 3...6, using: &random)
        var fleet = HealthFleet.running(count)
        fleet.setPath([.refused, .silent][Int(seed % 2)], [0])
        for _ in 0..<100 {
            disturb(&fleet, &random)
            fleet.request(at: 0)
            for _ in 0..<Int64.random(in: 1...200, using: &random) {
                fleet.run(1)
                let leaves = fleet.leaves(0)
                #expect(!leaves, "seed \(seed), \(fleet.now) ms")
            }
        }
        for index in 0..<count { fleet.setDeaf(index, false) }
        fleet.run(1500)
        fleet.setPath([.refused, .silent][Int(seed / 2 % 2)], 0..<count)
        fleet.request(at: 1)
        let isLeft = fleet.run(until: { fleet in (0..<count).allSatisfy(fleet.leaves) }, atMost: 2500) != nil
        #expect(isLeft, "seed \(seed)")
        fleet.setPath(.open, 0..<count)
        let isBack = fleet.run(until: { $0.replicas.allSatisfy { $0.isUp && !$0.isAvoided } }, atMost: 4000) != nil
        #expect(isBack, "seed \(seed)")
    }

    /// Messages take up to a fifth of the lease, and at most one replica hears nothing for a time.
    private func disturb(_ fleet: inout HealthFleet, _ random: inout Random) {
        let count = fleet.replicas.count
        fleet.replicas[Int.random(in: 0..<count, using: &random)].delay = Int64.random(in: 1...100, using: &random)
        let deaf = Int.random(in: 0..<count * 3, using: &random)
        for index in 0..<count { fleet.setDeaf(index, index == deaf) }
    }

    @Test(
        "whatever happened, replicas that see the same agree a few seconds after it is over", arguments: UInt64(1)...40)
    func settled(seed: UInt64) {
        var random = Random(seed: seed &* 77)
        let count = Int.random(in: 2...6, using: &random)
        var fleet = HealthFleet.running(count)
        for _ in 0..<40 {
            disturb(&fleet, &random)
            let index = Int.random(in: 0..<count, using: &random)
            fleet.setPath([.open, .refused, .silent].randomElement(using: &random) ?? .open, [index])
            fleet.request(at: Int.random(in: 0..<count, using: &random))
            fleet.run(Int64.random(in: 1...400, using: &random))
        }
        for index in 0..<count { fleet.setDeaf(index, false) }
        fleet.run(1000)
        for index in 0..<count { fleet.request(at: index) }
        fleet.run(5000)
        let down = fleet.replicas.filter { $0.path != .open }.count
        for (index, replica) in fleet.replicas.enumerated() {
            let (isUp, isOpen) = (replica.isUp, replica.path == .open)
            #expect(isUp == isOpen, "seed \(seed), replica \(index)")
            let leaves = fleet.leaves(index)
            #expect(leaves == (!isOpen && 2 * down > count), "seed \(seed), \(index)")
            let isAvoided = replica.isAvoided
            #expect(isAvoided == (isOpen && 2 * down > count), "seed \(seed), \(index)")
        }
    }

    @Test("a hundred replicas speak seldom and briefly, and agree fast all the same")
    func hundred() {
        var fleet = HealthFleet(100)
        fleet.run(7000)
        for index in 0..<100 { fleet.replicas[index].publications = [] }
        fleet.run(5000)
        let spoken = fleet.replicas.map(\.publications.count).reduce(0, +)
        #expect(spoken >= 100 && spoken <= 125)
        #expect(fleet.replicas.flatMap(\.publications).allSatisfy { $0.size < 64 })
        #expect(
            fleet.replicas.allSatisfy {
                $0.health.roster.members.count == 99 && $0.health.roster.intervalMilliseconds == 5000
            })

        for index in 0..<100 { fleet.replicas[index].publications = [] }
        fleet.setPath(.refused, 0..<100)
        for index in 0..<10 { fleet.request(at: index) }
        let isLeft = fleet.run(until: { fleet in (0..<100).allSatisfy(fleet.leaves) }, atMost: 500) != nil
        #expect(isLeft)
        fleet.run(1000)
        #expect(fleet.replicas.allSatisfy { $0.publications.count <= 12 })
    }

    @Test("a backend that flutters makes nobody probe or speak without bound")
    func flutter() {
        var fleet = HealthFleet.running(3)
        for index in 0..<3 { (fleet.replicas[index].publications, fleet.replicas[index].probesAt) = ([], []) }
        for round in 0..<1000 {
            fleet.setPath(round % 2 == 0 ? .refused : .open, 0..<3)
            fleet.request(at: round % 3)
            fleet.run(10)
        }
        for replica in fleet.replicas {
            #expect(replica.publications.count <= 8 + 10 * 10 + 12)
            #expect(zip(replica.publications, replica.publications.dropFirst()).allSatisfy { $1.at - $0.at >= 10 })
            #expect(zip(replica.probesAt, replica.probesAt.dropFirst()).allSatisfy { $1 - $0 >= 250 })
        }
    }
}
