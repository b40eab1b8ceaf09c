package import Affinity

/// The model of the store with a clock that the test controls.
package struct TimedModelStore: CaseStore {
    package let slack: Int64 = 0
    private var store = ModelStore()
    private var now = Instant(nanoseconds: 1_000_000_000)

    package init() {}

    package mutating func send(_ operations: [StoreOperation]) -> [StoreResult] {
        operations.map { store.result($0, now: now) }
    }

    package mutating func pass(milliseconds: Int64) { now = now.advanced(byMilliseconds: milliseconds) }

    package mutating func putForeign(_ fingerprint: Fingerprint, lifetimeMilliseconds: Int64) {
        store.putForeign(fingerprint, until: now.advanced(byMilliseconds: lifetimeMilliseconds))
    }
}

/// A server of the simulation, called directly; nothing else happens in the simulation.
package struct SimulatedStore: CaseStore {
    package let slack: Int64 = 0
    private let simulation: Simulation
    private let server: SimulatedServer

    package init() throws {
        var scenario = Scenario(seed: 1, steps: 0)
        scenario.hasStandby = false
        scenario.primaryCount = 1
        simulation = try Simulation(scenario)
        server = simulation.primaries[0].current
    }

    /// The violation that the simulation found in what the server did, if any.
    package var violation: Simulation.Violation? { simulation.violation }

    package mutating func send(_ operations: [StoreOperation]) -> [StoreResult] {
        operations.map { simulation.execute($0, on: server).0 }
    }

    package mutating func pass(milliseconds: Int64) { simulation.runUntil(simulation.now + milliseconds * 1000) }

    package mutating func putForeign(_ fingerprint: Fingerprint, lifetimeMilliseconds: Int64) {
        let record = ModelRecord(value: .foreign, expires: simulation.now + lifetimeMilliseconds * 1000)
        server.put(fingerprint, record, isPublished: false, end: .silent, now: simulation.now)
    }
}
