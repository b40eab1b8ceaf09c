import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("What a replica knows that has just started, or of one that has just gone")
    struct StandbyReplicaTests {
        /// In seconds. A build that is not optimised takes 3, and more on a busy machine.
        private static let syncMax = LimpetProgram.releasePath == nil ? 15.0 : 2.0

        private static func scans(of replica: LimpetProcess) throws -> (scans: Double?, generations: Double?) {
            (
                try replica.metric("limpet_standby_scans_total"),
                try replica.metric("limpet_channel_generations_total")
            )
        }

        @Test("a replica that is restarted is synced within 2 s, and knows 10,000 sessions that it has not served")
        func restarted() async throws {
            try await withFleet(.growing()) { fleet in
                try await fleet.awaitSynced()
                let crowd = try await SessionCrowd.mixed(10_000, of: fleet)
                try await fleet.settleSessions()
                let others = Array(fleet.replicas[..<2])
                let before = try await Threads.run { try others.map(Self.scans) }
                let end = try await Threads.run { try fleet.restartReplica(2) }
                #expect(end == .exited(0))
                let seconds = try await fleet.awaitSynced([2], within: 20)
                print("synced \(seconds) s after it was ready")
                #expect(seconds <= Self.syncMax)
                // Those that are left have noticed nothing that would make them scan, unless their channel faltered.
                let after = try await Threads.run { try others.map(Self.scans) }
                for (before, after) in zip(before, after) where before.generations == after.generations {
                    #expect(before.scans == after.scans)
                }
                try await fleet.awaitSynced()
                try fleet.redis.kill()
                try await crowd.expectAtHome(at: [2])
            }
        }

        @Test("a replica that starts during an outage says that it knows nothing; its guesses give way to knowledge")
        func startedInOutage() async throws {
            try await withFleet(.growing()) { fleet in
                try await fleet.awaitSynced()
                let crowd = try await SessionCrowd.mixed(1000, of: fleet)
                try await fleet.settleSessions()
                try fleet.redis.kill()
                let isGone = try await Threads.run { fleet.allUseStore(false, within: 5) }
                #expect(isGone)
                let said = try await Threads.run {
                    try fleet.restartReplica(2)
                    return try Waiting.poll(within: 5) {
                        let view = try fleet.replicas[2].standby()
                        return view.reason == "no-store" ? view : nil
                    }
                }
                #expect(said == StandbyView(state: "not synced", reason: "no-store"))
                try await crowd.expectAtHome(at: [0, 1])
                // It has no choice but to guess, and the store is empty when it hears of it.
                try await crowd.expectServed(at: 2)
                try await Threads.run { try fleet.redis.start() }
                try await fleet.awaitSynced(within: 15)
                try await crowd.expectAtHome()
            }
        }

        @Test("of what a replica wrote that was killed, the others miss the last 50 ms at most")
        func writerKilled() async throws {
            let backends = try IssuingBackends(3, field: "Mcp-Session-Id")
            defer { backends.close() }
            var missed: [String] = []
            // A busy machine may hold up one of them just then.
            for _ in 0..<3 {
                missed = try await Self.missedOfKilled(backends)
                if missed.isEmpty { break }
            }
            #expect(missed.isEmpty)
        }

        /// What the others miss of the sessions that a replica placed 150 ms and more before it was killed: 50 ms, and
        /// as much again and more for a machine that does other things, too. They miss none that is half a second old.
        private static func missedOfKilled(_ backends: IssuingBackends) async throws -> [String] {
            let options = Fleet.Options(backends: 0, sticky: SessionSource.learn.settings, ownBackends: backends.ports)
            var missed: [String] = []
            try await withFleet(options) { fleet in
                try await fleet.awaitSynced()
                var crowd = SessionCrowd(fleet, .learn)
                var times: [ContinuousClock.Instant] = []
                let begin = ContinuousClock.now
                while times.count < 300 || begin.duration(to: .now) < .seconds(1.5) {
                    try await crowd.place(1, at: 0)
                    times.append(.now)
                }
                let kill = ContinuousClock.now
                fleet.replicas[0].process.kill()
                try fleet.redis.kill()
                let (old, flushed) = (
                    times.count { $0 < kill - .milliseconds(500) }, times.count { $0 < kill - .milliseconds(150) }
                )
                #expect(old > 100 && flushed > old)
                try await crowd.expectAtHome(at: [1, 2]) { $0.number < old }
                missed = try await crowd.strays(at: [1, 2]) { (old..<flushed).contains($0.number) }
            }
            return missed
        }
    }
}
