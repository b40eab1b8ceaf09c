import LimpetTestKit
import Testing

@testable import Affinity

@Suite("One question a session")
struct SingleFlightTests {
    let fingerprint = Fingerprint(high: 0x51, low: 0x52)

    @Test("the first asks, the others wait, each for its own session, and after the landing the next asks again")
    func flights() {
        var flights = SingleFlight<Int>()
        let other = Fingerprint(high: 0x51, low: 0x53)
        let asks = [
            flights.board(fingerprint, 0), flights.board(fingerprint, 1), flights.board(other, 2),
            flights.board(fingerprint, 3),
        ]
        #expect(asks == [true, false, true, false])
        #expect(flights.count == 2)
        let landed = [flights.land(fingerprint), flights.land(fingerprint)]
        #expect(landed == [[1, 3], []])
        let asksAgain = flights.board(fingerprint, 4)
        let alone = flights.land(other)
        #expect(asksAgain && alone.isEmpty)
    }

    @Test("what one wrote the others find, and each goes by its own hint again")
    func results() throws {
        var fleet = try Fleet()
        var (leader, follower, knowing) = (
            Decision(fingerprint: fingerprint), Decision(fingerprint: fingerprint),
            Decision(fingerprint: fingerprint, hint: fleet.hint(2, 4))
        )
        guard case .send(let operation) = fleet.begin(&leader), case .send = fleet.begin(&follower),
            case .send = fleet.begin(&knowing)
        else {
            Issue.record("not asked")
            return
        }
        let result = fleet.store.result(operation, now: fleet.now)
        #expect(result == .written)
        let shared = result.forWaiters(than: operation)
        let first = fleet.finish(&leader, fleet.result(&leader, result, to: operation))
        let second = fleet.finish(&follower, fleet.result(&follower, shared, to: operation))
        #expect(first.route?.provenance == .claimed && second.route?.provenance == .stored)
        #expect(first.route?.backend == second.route?.backend)
        let third = fleet.finish(&knowing, fleet.result(&knowing, shared, to: operation))
        #expect(third.route == Route(backend: 2, binding: fleet.binding(2, 4), provenance: .claimed))
        #expect((0..<5).map { fleet.replicas[0].load.load(of: $0) }.reduce(0, +) == 1)
    }
}
