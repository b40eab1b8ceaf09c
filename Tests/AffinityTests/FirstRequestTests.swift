import LimpetTestKit
import Testing

@testable import Affinity

@Suite("First requests at once")
struct FirstRequestTests {
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
            var pending: [(replica: Int, decision: Decision, operation: StoreOperation)] = []
            for replica in 0..<4 {
                var decision = Decision(fingerprint: fingerprint)
                if case .send(let operation) = fleet.begin(&decision, replica: replica) {
                    pending.append((replica, decision, operation))
                }
            }
            #expect(pending.count == 4)
            if Set(pending.map(\.operation)).count > 1 { disagreed += 1 }
            var routes: Set<Binding> = []
            for (replica, decision, operation) in pending.shuffled(using: &random) {
                var decision = decision
                let result = fleet.store.result(operation, now: fleet.now)
                let step = fleet.result(&decision, result, to: operation, replica: replica)
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
