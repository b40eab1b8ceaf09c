import Testing

@testable import Affinity

@Suite("Backend health")
struct HealthTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test("up, down after a failure, probed every second, up on success")
    func life() {
        var health = BackendHealth()
        #expect(health.isUp)
        #expect(health.connectionFailed(now: at(100)) == .markDown(probeAt: at(1100)))
        #expect(!health.isUp)
        #expect(health.probeIsDue(now: at(1100)) == .probe)
        #expect(health.probeFailed(now: at(1150)) == .probeAgain(at: at(2150)))
        #expect(!health.isUp)
        #expect(health.probeIsDue(now: at(2150)) == .probe)
        #expect(health.probeSucceeded() == .markUp)
        #expect(health.isUp)
    }

    @Test("many requests that fail at once make one backend down, and one probe")
    func manyFailures() {
        var health = BackendHealth()
        _ = health.connectionFailed(now: at(0))
        #expect(health.connectionFailed(now: at(500)) == .doNothing)
        #expect(health.probeIsDue(now: at(999)) == .doNothing)
        #expect(health.probeIsDue(now: at(1000)) == .probe)
        #expect(health.probeIsDue(now: at(1000)) == .doNothing)
        #expect(health.connectionFailed(now: at(1001)) == .doNothing)
    }

    @Test("a request's connection that succeeds brings a backend up, and late news of its probe change nothing")
    func connectionSucceeds() {
        var health = BackendHealth()
        #expect(health.connectionSucceeded() == .doNothing)
        _ = health.connectionFailed(now: at(0))
        _ = health.probeIsDue(now: at(1000))
        #expect(health.connectionSucceeded() == .markUp)
        #expect(health.probeFailed(now: at(1100)) == .doNothing)
        #expect(health.probeSucceeded() == .doNothing)
        #expect(health.probeIsDue(now: at(2000)) == .doNothing)
        #expect(health.isUp)
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
        #expect(!table.mayLeave(0))
        table.markDown(0)
        #expect(table.mayLeave(0) && !table.mayLeave(1))
        table.markUp(0)
        #expect(!table.mayLeave(0))
    }

    @Test("a table of a fleet lets a backend be left that is down and agreed to be, until it is up again")
    func judgedByFleet() {
        let table = HealthTable(count: 65, judgesAlone: false)
        table.setMayLeave(64, true)
        #expect(!table.mayLeave(64))
        table.markDown(64)
        #expect(table.mayLeave(64))
        table.setMayLeave(64, false)
        #expect(!table.mayLeave(64))
        table.setMayLeave(64, true)
        table.markUp(64)
        table.markDown(64)
        #expect(!table.mayLeave(64))
    }

    @Test("what the fleet avoids is still up here; strangers are neither avoided nor left")
    func avoided() {
        let table = HealthTable(count: 3, judgesAlone: false)
        table.setAvoided(1, true)
        #expect((0..<3).map { table.isAvoided($0) } == [false, true, false])
        #expect(table.isUp(1) && !table.mayLeave(1))
        table.setAvoided(1, false)
        #expect(!table.isAvoided(1))
        for stranger in [-1, 3, Int.max, .min] {
            table.setAvoided(stranger, true)
            table.setMayLeave(stranger, true)
            #expect(!table.isAvoided(stranger) && !table.mayLeave(stranger))
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
        let table = try HealthTable(of: [(HealthTable(count: 1), Self.members([1])), (empty, Self.members([]))])
        #expect(!table.isUp(1) && !table.mayLeave(1))
    }

    @Test("a service of services is up while one backend is, may be left when all may, and knows it at once")
    func servicesOfServices() throws {
        let first = HealthTable(count: 2, judgesAlone: false)
        let inner = try HealthTable(
            of: [(HealthTable(count: 1), Self.members([1])), (HealthTable(count: 0), Self.members([]))])
        let table = try HealthTable(of: [(first, Self.members([1, 1])), (inner, Self.members([1, 1]))])
        #expect(table.count == 2 && table.isUp(0) && table.isUp(1) && !table.isUp(2) && !table.isUp(-1))
        #expect(inner.isUp(0) && !inner.isUp(1) && !inner.mayLeave(1))
        first.markDown(0)
        #expect(table.isUp(0) && !table.mayLeave(0))
        first.setAvoided(1, true)
        #expect(table.isAvoided(0))
        first.setAvoided(1, false)
        #expect(!table.isAvoided(0) && !table.isAvoided(1))
        first.markDown(1)
        #expect(!table.isUp(0) && !table.mayLeave(0))
        first.setMayLeave(0, true)
        #expect(!table.mayLeave(0))
        first.setMayLeave(1, true)
        #expect(table.mayLeave(0) && !table.mayLeave(1))
        first.markUp(0)
        #expect(table.isUp(0) && !table.mayLeave(0))
        // Its own marks are none.
        table.markDown(1)
        table.setMayLeave(1, true)
        #expect(table.isUp(1) && !table.mayLeave(1))
    }

    @Test("a service of which only those are up that take no new sessions is up, and avoided")
    func takesNothingNew() throws {
        let health = HealthTable(count: 3)
        let table = try HealthTable(of: [(health, Self.members([1, 0, 2], draining: ["c"]))])
        #expect(table.isUp(0) && !table.isAvoided(0))
        health.markDown(0)
        #expect(table.isUp(0) && table.isAvoided(0))
        health.markUp(0)
        #expect(!table.isAvoided(0))
        health.setAvoided(0, true)
        #expect(table.isAvoided(0))
    }

    /// Backends that are called a, b and so on.
    private static func members(_ weights: [UInt16], draining: Set<String> = []) throws -> Membership {
        let names = Array(["a", "b", "c"].prefix(weights.count))
        return try PlacementTests.membership(names, weights: weights, draining: draining)
    }
}
