import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    /// Three replicas, each behind a fault proxy of its own, under load all the while. A backend fails in the middle of
    /// each fault, so that sessions move when not everybody can be told.
    @Suite("Faults of the store and of the ways to it")
    struct StoreFaultTests {
        private static let known = (0..<60).map { "known-\($0)" }
        private static let options = Fleet.Options(
            budget: "100ms", lease: "500ms", hasAccessLog: true, hasFaultProxies: true)
        /// After so many seconds a replica acts on no binding that has moved: the lease, drift and a turn of the store,
        /// also where that takes 60 ms longer.
        private static let bound = 0.7

        /// Three of four requests are of known sessions; each new session comes to every replica in turn.
        private static func request(_ number: Int) -> (session: String, replica: Int) {
            let replica = number / 4 % 3
            return (number % 4 == 3 ? "late-\(number / 12)" : known[number % known.count], replica)
        }

        @Test(
            "no request fails, one backend for each session and epoch, nobody behind, all agree in the end",
            arguments: StoreFault.all)
        func fault(_ fault: StoreFault) async throws {
            try await withFleet(Self.options) { fleet in
                _ = try await fleet.agreement(on: Self.known)
                let times = Mutex((begin: 0.0, kill: 0.0, end: 0.0))
                let samples = try await fleet.underLoad(FixedRate(rate: 150, threads: 12), Self.request) { load in
                    try load.awaitRequests(45)
                    let begin = Fleet.wallClock
                    let kill = try Self.befall(fleet, fault, load)
                    times.withLock { $0 = (begin, kill, Fleet.wallClock) }
                }
                let (begin, kill, end) = times.withLock { $0 }
                // What a backend had in its hands when it was killed may be lost with it.
                let caught = samples.filter { $0.failure?.hasPrefix("502") == true && abs($0.wallTime - kill) < 0.5 }
                #expect(caught.count <= 2 && samples.failures.count == caught.count, "\(samples.failures)")
                let outages =
                    fault.isHarmless
                    ? [] : [FleetHistory.Outage(begin: begin, end: end, losesRecords: fault.losesRecords)]
                try await Threads.run { try Self.check(fleet, samples, outages) }
            }
        }

        /// The fault, a backend's failure and return in it, its end, and what all replicas need to be well again.
        ///
        /// - Returns: when the backend was killed.
        private static func befall(_ fleet: Fleet, _ fault: StoreFault, _ load: FixedRate.Progress) throws -> Double {
            let begin = ContinuousClock.now
            try fault.begin(fleet)
            try load.awaitRequests(60)
            let kill = Fleet.wallClock
            fleet.backends[1].process.kill()
            try load.awaitRequests(90)
            try fleet.restartBackend(1)
            try fault.end(fleet)
            #expect(fleet.allUseStore(within: 5), "the store is not in use after 5 s")
            // From now on nobody may be behind.
            Thread.sleep(forTimeInterval: bound)
            let seconds = (ContinuousClock.now - begin) / .seconds(1)
            for (index, proxy) in fleet.faults.enumerated() {
                // As many as there are connections may be made at once.
                let attempts = try proxy.accepted.count { $0.time >= begin }
                #expect(Double(attempts) <= 2 * seconds + 3, "r\(index) connected \(attempts) times in \(seconds) s")
            }
            return kill
        }

        private static func check(
            _ fleet: Fleet, _ samples: [FixedRate.Sample], _ outages: [FleetHistory.Outage]
        ) throws {
            let sessions = Set(samples.map(\.session)).sorted()
            // Each replica resolves each session, and learns what others have resolved.
            var seen = samples.seen.merging(try fleet.askAll(sessions, round: "resolve")) { $1 }
            // So that what they have told each other has been heard.
            Thread.sleep(forTimeInterval: bound)
            let healed = Fleet.wallClock
            seen.merge(try fleet.askAll(sessions, round: "settled")) { $1 }
            let history = try fleet.history(seen: seen, outages: outages)
            #expect(history.differences(fromSeen: seen).isEmpty)
            // Without epochs these rules would hold of nothing.
            #expect(history.epochCount > 0)
            #expect(history.tornEpochs().isEmpty)
            #expect(history.staleDecisions(bound: bound).isEmpty)
            #expect(history.disagreements(since: healed).isEmpty)
            #expect(history.differences(from: try fleet.records(), since: healed).isEmpty)
        }
    }
}
