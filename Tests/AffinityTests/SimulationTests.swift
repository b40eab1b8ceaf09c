import Testing

@testable import Affinity

@Suite("Replicas under faults")
struct SimulationTests {
    @Test("invariants I1 to I6, I9, I11 and I12 hold through outages, lost answers, races, moves, drops and restarts")
    func invariants() throws {
        var decided: [Provenance: Int] = [:]
        for seed in 0..<300 as Range<UInt64> {
            var simulation = try Simulation(seed: seed, losesData: false)
            simulation.run(steps: 1500)
            #expect(simulation.broken.isEmpty, "seed \(seed): \(simulation.broken)")
            decided.merge(simulation.decided, uniquingKeysWith: +)
        }
        for provenance in [Provenance.cached, .stored, .claimed, .rebound, .hinted, .hashed, .placed] {
            #expect(decided[provenance, default: 0] > 10, "\(decided)")
        }
    }

    @Test("they hold, and replicas and store agree in the end, though the store loses its data again and again")
    func lossOfData() throws {
        for seed in 1000..<1300 as Range<UInt64> {
            var simulation = try Simulation(seed: seed, losesData: true)
            simulation.run(steps: 1500)
            #expect(simulation.broken.isEmpty, "seed \(seed): \(simulation.broken)")
        }
    }

    @Test("I4: all concurrent first requests agree, though every replica proposes as its own load says")
    func firstRequestsAgree() throws {
        var random = Random(seed: 41)
        var disagreed = 0
        for _ in 0..<300 {
            var fleet = try Fleet(replicas: 4)
            let fingerprint = random.fingerprint()
            let home = fleet.membership.ranked(fingerprint)[0]
            // Two of the replicas have placed so much on its first choice that they propose the second.
            for replica in 0..<2 { for _ in 0..<50 { _ = preload(&fleet, replica, home, &random) } }
            var pending: [(replica: Int, decision: Decision, question: StoreQuestion)] = []
            for replica in 0..<4 {
                var decision = Decision(fingerprint: fingerprint)
                if case .ask(let question) = fleet.begin(&decision, replica: replica) {
                    pending.append((replica, decision, question))
                }
            }
            #expect(pending.count == 4)
            if Set(pending.map(\.question)).count > 1 { disagreed += 1 }
            var routes: Set<Binding> = []
            for (replica, decision, question) in pending.shuffled(using: &random) {
                var decision = decision
                let answer = fleet.store.answer(question, now: fleet.now)
                let step = fleet.answer(&decision, answer, to: question, replica: replica)
                routes.insert(try #require(fleet.finish(&decision, step, replica: replica).route).binding)
            }
            #expect(routes.count == 1)
        }
        #expect(disagreed > 200)
    }

    private func preload(_ fleet: inout Fleet, _ replica: Int, _ home: Int, _ random: inout Random) -> Fleet.Outcome {
        var fingerprint = random.fingerprint()
        while fleet.membership.ranked(fingerprint)[0] != home { fingerprint = random.fingerprint() }
        return fleet.serve(fingerprint, isNew: true, replica: replica)
    }
}
