import Testing

@testable import Affinity

@Suite("Backend health")
struct HealthTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test("a backend that cannot be reached is probed a second after each failure, until a connection is made")
    func life() {
        var probe = BackendProbe()
        #expect(!probe.isUnreachable)
        #expect(probe.failed(now: at(100)) == .wait(until: at(1100)))
        #expect(probe.isUnreachable)
        #expect(probe.isDue(now: at(1099)) == .doNothing)
        #expect(probe.isDue(now: at(1100)) == .connect)
        let failed = probe.ended(isReachable: false, now: at(1150))
        #expect(failed == .init(isWanted: false, action: .wait(until: at(2150))))
        #expect(probe.isDue(now: at(2150)) == .connect)
        let succeeded = probe.ended(isReachable: true, now: at(2160))
        #expect(succeeded == .init(isWanted: false, action: .doNothing))
        #expect(!probe.isUnreachable)
        #expect(probe.isDue(now: at(9000)) == .doNothing)
    }

    @Test("connections that fail at once, of however many loops, make one probe")
    func manyFailures() {
        var probe = BackendProbe()
        _ = probe.failed(now: at(0))
        #expect(probe.failed(now: at(500)) == .doNothing)
        #expect(probe.isDue(now: at(1000)) == .connect)
        #expect(probe.isDue(now: at(1000)) == .doNothing)
        #expect(probe.failed(now: at(1001)) == .doNothing)
    }

    @Test("after a connection that was made, late news of a probe change nothing")
    func connectionSucceeds() {
        var probe = BackendProbe()
        _ = probe.failed(now: at(0))
        _ = probe.isDue(now: at(1000))
        probe.succeeded()
        #expect(!probe.isUnreachable)
        let late = probe.ended(isReachable: false, now: at(1100))
        #expect(late == .init(isWanted: false, action: .doNothing))
        #expect(!probe.isUnreachable)
        #expect(probe.isDue(now: at(2000)) == .doNothing)
    }

    @Test("what the fleet wants to know is one probe with what is due, and puts off the next")
    func wanted() {
        var probe = BackendProbe()
        #expect(probe.wanted() == .connect)
        #expect(probe.wanted() == .doNothing)
        let first = probe.ended(isReachable: false, now: at(50))
        #expect(first == .init(isWanted: true, action: .doNothing), "it decides what that means")
        #expect(probe.failed(now: at(50)) == .wait(until: at(1050)))
        #expect(probe.wanted() == .connect)
        let second = probe.ended(isReachable: false, now: at(400))
        #expect(second == .init(isWanted: true, action: .wait(until: at(1400))))
        #expect(probe.isDue(now: at(1050)) == .doNothing)
        #expect(probe.isDue(now: at(1400)) == .connect)
        #expect(probe.wanted() == .doNothing, "one is under way")
        let third = probe.ended(isReachable: true, now: at(1410))
        #expect(third == .init(isWanted: true, action: .doNothing))
        #expect(!probe.isUnreachable)
    }

    @Test("each cause of down comes and goes by itself, and a backend is up while none stands")
    func causes() {
        let state = BackendState()
        #expect(state.isUp && state.causes.isEmpty)
        #expect(state.begin(.unreachable) == true)
        #expect(state.begin(.failing) == false)
        #expect(state.causes == [.unreachable, .failing] && !state.isUp)
        #expect(state.end(.unreachable) == false, "a connection does not answer a check that fails")
        #expect(state.causes == .failing && !state.isUp)
        #expect(state.end(.unreachable) == false)
        #expect(state.end(.failing) == true)
        #expect(state.isUp && state.causes.isEmpty)
        #expect(state.end(.failing) == false)
    }

    @Test(
        "the fleet's word is forgotten when the last cause ends, and not before",
        arguments: BackendState.DownCause.allCases)
    func leavable(_ last: BackendState.DownCause) {
        let state = BackendState()
        for cause in BackendState.DownCause.allCases { state.begin(cause) }
        state.setMayReassign(true)
        for cause in BackendState.DownCause.allCases where cause != last { state.end(cause) }
        #expect(state.mayReassign)
        state.end(last)
        #expect(!state.mayReassign)
    }

    @Test("all that stands against a backend is told together: what is found out, and what is configured")
    func allCauses() throws {
        let membership = try PlacementTests.membership(["a", "b"], weights: [1, 1], draining: ["b"])
        let health = HealthTable(count: 2)
        let (a, b) = (membership.backends[0].hash, membership.backends[1].hash)
        #expect(membership.causes(against: a, health).isEmpty)
        #expect(membership.causes(against: b, health) == .draining && membership.causes(against: b, health).isUp)
        health.markDown(1)
        health.markDown(1, .failing)
        #expect(membership.causes(against: b, health).names == ["unreachable", "failing", "draining"])
        let stranger = BackendHash(bits: 1)
        #expect(membership.causes(against: stranger, health) == .absent)
        #expect(!membership.causes(against: stranger, health).isUp)
    }

    @Test(
        "the table holds one flag for each backend, tells changes, and knows no other index",
        arguments: [0, 1, 64, 65, 1000])
    func table(count: Int) {
        let table = HealthTable(count: count)
        for index in 0..<count where index % 3 == 0 {
            #expect(table.markDown(index))
            #expect(!table.markDown(index))
        }
        for index in 0..<count { #expect(table.isUp(index) == (index % 3 != 0)) }
        for index in 0..<count where index % 3 == 0 {
            #expect(table.markUp(index))
            #expect(!table.markUp(index))
        }
        #expect((0..<count).allSatisfy { table.isUp($0) })
        for stranger in [-1, count, .max, .min] {
            #expect(!table.isUp(stranger) && !table.markDown(stranger) && !table.markUp(stranger))
        }
    }

    @Test("a table that judges alone lets every backend that is down be left")
    func judgesAlone() {
        let table = HealthTable(count: 2)
        #expect(!table.mayReassign(0))
        table.markDown(0)
        #expect(table.mayReassign(0) && !table.mayReassign(1))
        table.markUp(0)
        #expect(!table.mayReassign(0))
    }

    @Test("a table of a fleet lets a backend be left that is down and agreed to be, until it is up again")
    func judgedByFleet() {
        let table = HealthTable(count: 65, judgesAlone: false)
        table.setMayReassign(64, true)
        #expect(!table.mayReassign(64))
        table.markDown(64)
        #expect(table.mayReassign(64))
        table.setMayReassign(64, false)
        #expect(!table.mayReassign(64))
        table.setMayReassign(64, true)
        table.markUp(64)
        table.markDown(64)
        #expect(!table.mayReassign(64))
    }

    @Test("what the fleet avoids is still up here; strangers are neither avoided nor left")
    func avoided() {
        let table = HealthTable(count: 3, judgesAlone: false)
        table.setAvoided(1, true)
        #expect((0..<3).map { table.isAvoided($0) } == [false, true, false])
        #expect(table.isUp(1) && !table.mayReassign(1))
        table.setAvoided(1, false)
        #expect(!table.isAvoided(1))
        for stranger in [-1, 3, Int.max, .min] {
            table.setAvoided(stranger, true)
            table.setMayReassign(stranger, true)
            #expect(!table.isAvoided(stranger) && !table.mayReassign(stranger))
        }
    }

    @Test("loops that mark different backends at once lose nothing")
    func concurrent() async {
        let table = HealthTable(count: 64)
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    for round in 0..<1000 {
                        for index in stride(from: worker, to: 64, by: 4) {
                            if round % 2 == 0 { table.markDown(index) } else { table.markUp(index) }
                        }
                    }
                    for index in stride(from: worker, to: 32, by: 4) { table.markDown(index) }
                }
            }
        }
        for index in 0..<64 { #expect(table.isUp(index) == (index >= 32)) }
    }

    @Test("a service without backends is not up, and may not be left: it is away, and nobody agreed on that")
    func emptyChild() throws {
        let empty = HealthTable(count: 0)
        let table = try HealthTable(of: [(HealthTable(count: 1), Self.takers([1])), (empty, Self.takers([]))])
        #expect(!table.isUp(1) && !table.mayReassign(1))
    }

    @Test("a service of services is up while one backend is, may be left when all may, and knows it at once")
    func servicesOfServices() throws {
        let first = HealthTable(count: 2, judgesAlone: false)
        let inner = try HealthTable(
            of: [(HealthTable(count: 1), Self.takers([1])), (HealthTable(count: 0), Self.takers([]))])
        let table = try HealthTable(of: [(first, Self.takers([1, 1])), (inner, Self.takers([1, 1]))])
        #expect(table.count == 2 && table.isUp(0) && table.isUp(1) && !table.isUp(2) && !table.isUp(-1))
        #expect(inner.isUp(0) && !inner.isUp(1) && !inner.mayReassign(1))
        #expect(inner.causes(against: 1) == .absent && table.causes(against: 1).isEmpty)
        first.markDown(0)
        #expect(table.isUp(0) && !table.mayReassign(0))
        first.setAvoided(1, true)
        #expect(table.isAvoided(0))
        first.setAvoided(1, false)
        #expect(!table.isAvoided(0) && !table.isAvoided(1))
        first.markDown(1)
        #expect(!table.isUp(0) && !table.mayReassign(0))
        #expect(table.causes(against: 0) == .unreachable)
        first.setMayReassign(0, true)
        #expect(!table.mayReassign(0))
        first.setMayReassign(1, true)
        #expect(table.mayReassign(0) && !table.mayReassign(1))
        first.markUp(0)
        #expect(table.isUp(0) && !table.mayReassign(0))
        // Its own marks are none.
        table.markDown(1)
        table.setMayReassign(1, true)
        #expect(table.isUp(1) && !table.mayReassign(1))
    }

    @Test("a service of which only those are up that take no new sessions is up, and avoided")
    func takesNothingNew() throws {
        let health = HealthTable(count: 3)
        let table = try HealthTable(of: [(health, Self.takers([1, 0, 2], draining: ["c"]))])
        #expect(table.isUp(0) && !table.isAvoided(0))
        health.markDown(0)
        #expect(table.isUp(0) && table.isAvoided(0))
        health.markUp(0)
        #expect(!table.isAvoided(0))
        health.setAvoided(0, true)
        #expect(table.isAvoided(0))
    }

    /// Backends that are called a, b and so on.
    private static func takers(_ weights: [UInt16], draining: Set<String> = []) throws -> [Bool] {
        let names = Array(["a", "b", "c"].prefix(weights.count))
        return try PlacementTests.membership(names, weights: weights, draining: draining).takersOfNewSessions
    }
}
