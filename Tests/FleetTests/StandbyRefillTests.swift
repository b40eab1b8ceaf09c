import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    /// Under load all the while, of sessions that are known.
    @Suite("The store comes back without what it held")
    struct StandbyRefillTests {
        private static let settings = "header: X-Session-ID, idleTimeout: 2m"
        private static let load = FixedRate(rate: 60, threads: 12)

        /// Kills and starts the store under load, and returns what it does not hold again after this many seconds.
        ///
        /// - Parameter strays: known sessions that were served by anybody but the backend they had.
        private static func missing(
            from crowd: SessionCrowd, after seconds: Double
        ) async throws -> (missing: [String], strays: [String]) {
            let fleet = crowd.fleet
            let members = crowd.members
            let keys = members.compactMap(\.key)
            let homes = Dictionary(uniqueKeysWithValues: zip(keys, members.map(\.home)))
            let missing = Mutex<[String]>([])
            let samples = try await fleet.underLoad(load) { number in
                (keys[number * 37 % keys.count], number % 3)
            } _: { load in
                try load.awaitRequests(20)
                let (former, taken) = (try fleet.storedSessions(), ContinuousClock.now)
                guard former.count == members.count else {
                    throw Unexpected(description: "the store holds \(former.count) of \(members.count) sessions")
                }
                try fleet.redis.kill()
                try load.awaitRequests(60)
                try fleet.redis.start()
                let begin = ContinuousClock.now
                let faults = try fleet.missing(from: former, taken: taken, after: seconds)
                print("refilled: \(former.count) sessions, \(begin.duration(to: .now)); \(faults)")
                missing.withLock { $0 = faults }
                try load.awaitRequests(60)
            }
            let strays = samples.filter { $0.backend != homes[$0.session] }.map { sample in
                "\(sample.session) at \(sample.time) s: \(sample.failure ?? sample.backend ?? "")"
            }
            print("meanwhile: \(samples.figures); \(strays.count) elsewhere")
            return (missing.withLock { $0 }, Array(strays.prefix(5)))
        }

        @Test("empty: within 10 s it holds 10,000 of 10,000 sessions, each with its life, and none has gone elsewhere")
        func empty() async throws {
            try await withFleet(.growing(sticky: Self.settings)) { fleet in
                try await fleet.awaitSynced()
                let crowd = try await SessionCrowd.mixed(10_000, of: fleet)
                try await fleet.settleSessions()
                let (missing, strays) = try await Self.missing(from: crowd, after: 10)
                #expect(missing.isEmpty)
                #expect(strays.isEmpty)
                try await fleet.awaitSynced(within: 15)
                try await crowd.expectAtHome { $0.number % 5 == 0 }
            }
        }

        @Test("with old data: within 15 s it holds what was placed and moved since, and none has gone elsewhere")
        func old() async throws {
            try await withFleet(.growing(sticky: Self.settings)) { fleet in
                try await fleet.awaitSynced()
                var crowd = SessionCrowd(fleet)
                try await crowd.place(5000)
                #expect(try fleet.redis.command("SAVE") == "OK")
                try await crowd.move(500)
                try await crowd.addBackends()
                try await crowd.place(5000, .late)
                try await fleet.settleSessions()
                let (missing, strays) = try await Self.missing(from: crowd, after: 15)
                #expect(missing.isEmpty)
                #expect(strays.isEmpty)
                try await fleet.awaitSynced(within: 15)
                try await crowd.expectAtHome { $0.number % 5 == 0 }
            }
        }
    }
}
