import Foundation
import LimpetTestKit
import Synchronization
import Testing

private enum SoakSettings {
    private static let environment = ProcessInfo.processInfo.environment
    /// How long there are faults; `LIMPET_SOAK_SECONDS` says otherwise.
    static let seconds = environment["LIMPET_SOAK_SECONDS"].flatMap(Double.init) ?? 60
    /// Of the faults' order; `LIMPET_SOAK_SEED` repeats it.
    static let seed = environment["LIMPET_SOAK_SEED"].flatMap(UInt64.init) ?? .random(in: 0...999_999)
}

/// Not a part of `FleetTests`, whose limit of time would end it. `scripts/soak` runs it for longer.
@Suite("A soak", .serialized, .timeLimit(.minutes(Int(SoakSettings.seconds / 60) + 4)))
struct SoakTests {
    /// How often each thing happened.
    private struct Events: Sendable {
        var counts: [String: Int] = [:]
        var longestSync = 0.0
    }

    @Test("random faults of the store, replicas that restart: no request fails, no known session moves, nothing grows")
    func soak() async throws {
        var options = Fleet.Options.growing().with(budget: "400ms", lease: "800ms")
        options.hasFaultProxies = true
        try await withFleet(options) { fleet in
            try await fleet.awaitSynced()
            let crowd = try await SessionCrowd.mixed(2000, of: fleet)
            try await fleet.settleSessions()
            let driver = SoakDriver(fleet, crowd, seed: SoakSettings.seed)
            let growth = SoakGrowth()
            let events = Mutex(Events())
            async let driving: Void = driver.run()
            do {
                try await Threads.run {
                    defer { driver.stop() }
                    try Self.disturb(fleet, driver, growth) { change in events.withLock { change(&$0) } }
                }
            } catch {
                try? await driving
                Self.report(driver.result, events.withLock { $0 }, growth)
                throw error
            }
            try await driving
            Self.report(driver.result, events.withLock { $0 }, growth)
            #expect(driver.result.errors.prefix(5).isEmpty)
            #expect(driver.result.moved.prefix(5).isEmpty)
            #expect(
                driver.result.requests > Int(SoakSettings.seconds * SoakDriver.rate / 2), "the clients were not served")
            #expect(growth.grown.isEmpty)
            try await crowd.expectAtHome()
        }
    }

    /// Faults and restarts until the time is over; then all replicas are synced.
    private static func disturb(
        _ fleet: Fleet, _ driver: SoakDriver, _ growth: SoakGrowth, _ note: ((inout Events) -> Void) -> Void
    ) throws {
        var random = SeededRandom(seed: SoakSettings.seed)
        let end = ContinuousClock.now + .seconds(SoakSettings.seconds)
        while ContinuousClock.now < end {
            // A replica restarts only while all are well, and nothing else happens until they are again.
            let restarts = Int.random(in: 0..<4, using: &random) == 0
            if restarts || Int.random(in: 0..<4, using: &random) > 0 {
                let took = try awaitSynced(fleet, driver, growth)
                note { $0.longestSync = max($0.longestSync, took) }
                SoakFault.wait(1.2...3, &random)
            } else {
                SoakFault.wait(0.1...1, &random)
            }
            driver.calm.end()
            if restarts {
                let index = Int.random(in: fleet.replicas.indices, using: &random)
                let ended = try fleet.restartReplica(index)
                #expect(ended == .exited(0))
                note { $0.counts["replica restarted", default: 0] += 1 }
                let took = try awaitSynced(fleet, driver, growth)
                note { $0.longestSync = max($0.longestSync, took) }
            } else {
                let fault = SoakFault.allCases.randomElement(using: &random) ?? .frozen
                try fault.happen(to: fleet, &random)
                note { $0.counts[fault.rawValue, default: 0] += 1 }
                try growth.look(at: fleet)
            }
        }
        let took = try awaitSynced(fleet, driver, growth)
        note { $0.longestSync = max($0.longestSync, took) }
    }

    /// Says how long it took, in seconds.
    private static func awaitSynced(_ fleet: Fleet, _ driver: SoakDriver, _ growth: SoakGrowth) throws -> Double {
        let begin = ContinuousClock.now
        let isSynced = try Waiting.until(within: 30) {
            try growth.look(at: fleet)
            // So that asking is not a load of its own.
            Thread.sleep(forTimeInterval: 0.05)
            return try fleet.replicas.allSatisfy { try $0.usesStore && $0.standby().isSynced }
        }
        guard isSynced else {
            throw Unexpected(description: "not synced: \(try fleet.replicas.map { "\($0.name) \(try $0.standby())" })")
        }
        driver.calm.begin()
        return begin.duration(to: .now) / .seconds(1)
    }

    private static func report(_ outcome: SoakDriver.Outcome, _ events: Events, _ growth: SoakGrowth) {
        let faults = events.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        print("soak: \(Int(SoakSettings.seconds)) s, seed \(SoakSettings.seed)")
        print("soak: faults: \(faults)")
        print("soak: \(outcome.requests) requests, \(outcome.newcomers) new sessions checked")
        print("soak: \(outcome.errors.count) errors, \(outcome.moved.count) answers by another backend than before")
        for line in outcome.errors.prefix(5) + outcome.moved.prefix(5) { print("soak: \(line)") }
        print("soak: all synced again after \(String(format: "%.1f", events.longestSync)) s at most")
        for line in growth.lines { print("soak: \(line)") }
    }
}
