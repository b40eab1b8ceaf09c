import LimpetTestKit
import Testing

@testable import Affinity

@Suite("Leaving a backend")
struct DepartureTests {
    let fingerprint = Fingerprint(high: 0x77, low: 0x88)

    /// A fleet whose session is bound to its first choice, which is down.
    private func fleet(
        _ onUnavailable: AffinitySettings.Unavailability = .move, judgesAlone: Bool = false
    ) throws -> (Fleet, order: [Int]) {
        let settings = AffinitySettings(idleTimeoutMilliseconds: 1_800_000, onUnavailable: onUnavailable)
        var fleet = try Fleet(settings: settings, judgesAlone: judgesAlone)
        let order = fleet.membership.ranked(fingerprint)
        fleet.hold(fingerprint, fleet.binding(order[0], 4))
        fleet.know(fingerprint, fleet.binding(order[0], 4), .confirmed)
        fleet.markDown(order[0])
        return (fleet, order)
    }

    private func detour(_ fleet: Fleet, to index: Int, from home: Int) -> Route {
        Route(backend: index, binding: fleet.binding(home, 4), provenance: .detoured)
    }

    // D2, D27
    @Test("I14: down here alone is a detour, and nothing is asked or written; with the fleet's word it is a move")
    func consent() throws {
        var (fleet, order) = try fleet()
        #expect(fleet.serve(fingerprint).route == detour(fleet, to: order[1], from: order[0]))
        #expect(fleet.sent.isEmpty)
        fleet.replicas[0].health.setMayReassign(order[0], true)
        #expect(
            fleet.serve(fingerprint).route
                == Route(backend: order[1], binding: fleet.binding(order[1], 5), provenance: .rebound))
    }

    @Test("a detour ends when the backend is back")
    func comesBack() throws {
        var (fleet, order) = try fleet()
        #expect(fleet.serve(fingerprint).route?.backend == order[1])
        fleet.markUp(order[0])
        #expect(fleet.serve(fingerprint).route?.backend == order[0])
    }

    // D28, D29
    @Test("with onUnavailable detour and reject nobody is moved, whatever the fleet says")
    func settings() throws {
        var (detouring, order) = try fleet(.detour, judgesAlone: true)
        #expect(detouring.serve(fingerprint).route == detour(detouring, to: order[1], from: order[0]))
        var (rejecting, _) = try fleet(.reject, judgesAlone: true)
        #expect(rejecting.serve(fingerprint) == .refusal(.backendUnavailable))
        rejecting.markUp(order[0])
        #expect(rejecting.serve(fingerprint).route?.backend == order[0])
    }

    // D24, D28, D29
    @Test("nor without the store", arguments: [AffinitySettings.Unavailability.detour, .reject])
    func settingsAlone(onUnavailable: AffinitySettings.Unavailability) throws {
        var (fleet, order) = try fleet(onUnavailable, judgesAlone: true)
        fleet.storeIsAvailable = false
        fleet.setChannel(live: false)
        let outcome = fleet.serve(fingerprint)
        #expect(
            outcome
                == (onUnavailable == .detour
                    ? .route(detour(fleet, to: order[1], from: order[0])) : .refusal(.backendUnavailable)))
        #expect(fleet.entry(fingerprint)?.kind == .confirmed)
    }

    @Test("a session that is not known is placed on a usable backend, whatever onUnavailable says")
    func unknown() throws {
        var (fleet, _) = try fleet(.reject)
        let other = Fingerprint(high: 5, low: 99)
        #expect(fleet.serve(other).route?.provenance == .claimed)
    }

    // D9, D27
    @Test("while the channel is not live a session is detoured, after the store was asked where it is")
    func notLive() throws {
        var (fleet, order) = try fleet(judgesAlone: true)
        fleet.setChannel(live: false)
        #expect(fleet.serve(fingerprint).route == detour(fleet, to: order[1], from: order[0]))
        #expect(fleet.store.binding(fingerprint, now: fleet.now) == fleet.binding(order[0], 4))
        fleet.hold(fingerprint, fleet.binding(order[2], 5))
        #expect(
            fleet.serve(fingerprint).route
                == Route(backend: order[2], binding: fleet.binding(order[2], 5), provenance: .stored))
    }

    // D3, D24, D27
    @Test("without the store a session moves on this replica's own word, unless the channel is live after all")
    func storeAway() throws {
        var (fleet, order) = try fleet()
        fleet.storeIsAvailable = false
        #expect(fleet.serve(fingerprint).route == detour(fleet, to: order[1], from: order[0]))
        fleet.setChannel(live: false)
        #expect(
            fleet.serve(fingerprint).route
                == Route(backend: order[1], binding: fleet.binding(order[1], 5), provenance: .rebound))
        #expect(fleet.entry(fingerprint)?.kind == .dirty)
    }

    @Test(
        "a backend that most of the fleet cannot reach is the target of no move and no detour, while there is another")
    func avoided() throws {
        var (fleet, order) = try fleet()
        fleet.replicas[0].health.setAvoided(order[1], true)
        #expect(fleet.serve(fingerprint).route?.backend == order[2])
        fleet.replicas[0].health.setMayReassign(order[0], true)
        #expect(fleet.serve(fingerprint).route?.binding == fleet.binding(order[2], 5))
        for index in order.dropFirst() { fleet.replicas[0].health.setAvoided(index, true) }
        fleet.markDown(order[2])
        fleet.replicas[0].health.setMayReassign(order[2], true)
        #expect(fleet.serve(fingerprint).route?.backend == order[1])
    }

    // D26
    @Test("a backend that is no longer configured is left, unless replicas are configured otherwise")
    func removed() throws {
        for onUnavailable in AffinitySettings.Unavailability.allCases {
            var (fleet, _) = try fleet(onUnavailable)
            let gone = Binding(backend: .of(name: "gone", key: PlacementTests.key), epoch: 4)
            let session = Fingerprint(high: 0x77, low: 0x99)
            fleet.hold(session, gone)
            fleet.replicas[0].coherence.setConfigurationsAgree(false)
            #expect(fleet.serve(session).route?.provenance == .detoured)
            #expect(fleet.store.binding(session, now: fleet.now) == gone)
            fleet.replicas[0].coherence.setConfigurationsAgree(true)
            // Nor while the loops of this replica are.
            fleet.replicas[0].coherence.setReconfiguring(true)
            #expect(fleet.serve(session).route?.provenance == .detoured)
            fleet.replicas[0].coherence.setReconfiguring(false)
            #expect(fleet.serve(session).route?.provenance == .rebound)
            #expect(fleet.store.binding(session, now: fleet.now)?.epoch == 5)
        }
    }

    // D15
    @Test("a store that takes no writes: what it holds is obeyed for this request, and not remembered")
    func readOnly() throws {
        var fleet = try Fleet()
        var decision = Decision(fingerprint: fingerprint)
        guard case .send(let operation) = fleet.begin(&decision) else {
            Issue.record("not asked")
            return
        }
        let step = fleet.result(&decision, .readOnly(fleet.binding(3, 5), remainingMilliseconds: 9000), to: operation)
        #expect(step == .forward(Route(backend: 3, binding: fleet.binding(3, 5), provenance: .stored)))
        #expect(fleet.entry(fingerprint) == nil)
    }
}
