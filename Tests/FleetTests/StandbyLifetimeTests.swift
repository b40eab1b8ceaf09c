import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// Sessions whose records live for less than three seconds unless somebody asks for them.
    @Suite("The store goes away, and lifetimes are over")
    struct StandbyLifetimeTests {
        /// Of a record after its last touch, 4/3 of `idleTimeout`, in seconds; and a little more.
        private static let overLifetime = 2.0 * 4 / 3 + 0.4

        private static func settings(_ source: SessionSource) -> String { "\(source.settings), idleTimeout: 2s" }

        private static func withCrowd(
            _ source: SessionSource, _ body: @escaping @Sendable (Fleet, inout SessionCrowd) async throws -> Void
        ) async throws {
            let issuing = try source == .learn ? IssuingBackends(3, field: "Mcp-Session-Id") : nil
            defer { issuing?.close() }
            var options = Fleet.Options.growing(sticky: settings(source)).with(budget: "400ms", lease: "500ms")
            if let issuing { (options.backends, options.ownBackends, options.dynamic) = (0, issuing.ports, nil) }
            try await withFleet(options) { fleet in
                try await fleet.awaitSynced()
                var crowd = SessionCrowd(fleet, source)
                try await body(fleet, &crowd)
            }
        }

        @Test(
            "sessions that others kept alive, and all of them when the outage outlasts a lifetime, stay where they are",
            arguments: SessionSource.allCases)
        func outlasted(_ source: SessionSource) async throws {
            try await Self.withCrowd(source) { fleet, crowd in
                try await crowd.place(900, at: 0)
                // The last replica hears no more of them but what keeps them alive, and that is silent.
                try await crowd.expectAtHome(at: [2])
                let seen = ContinuousClock.now
                if source != .learn { try await crowd.addBackends() }
                repeat { try await crowd.use() } while seen.duration(to: .now) < .seconds(Self.overLifetime)
                try await fleet.awaitSynced()
                try await crowd.use()
                try fleet.redis.kill()
                let begin = ContinuousClock.now
                // Half of them are in use at the beginning of the outage, and half are not.
                try await crowd.expectAtHome { $0.number % 2 == 0 }
                let left = .seconds(Self.overLifetime) - begin.duration(to: .now)
                // A lifetime can only be waited for.
                try await Threads.run { Thread.sleep(forTimeInterval: max(0, left / .seconds(1))) }
                try await crowd.expectAtHome()
            }
        }

        @Test("keys that are used anew after their sessions have expired go where they are now, not where they were")
        func usedAnew() async throws {
            try await Self.withCrowd(.header) { fleet, former in
                try await former.place(400, at: 0)
                // What the replicas hear of them last has a higher epoch than what comes.
                try await former.move()
                try await Threads.run {
                    let isOver = try Waiting.until(within: 10) { try fleet.records().isEmpty }
                    #expect(isOver)
                }
                var crowd = SessionCrowd(fleet)
                try await crowd.place(400, at: 1)
                let returned = zip(former.members, crowd.members).count { $0.line == $1.line && $0.home != $1.home }
                #expect(returned > 40, "too few have another backend than they had")
                try await fleet.settleSessions()
                try fleet.redis.kill()
                try await crowd.expectAtHome()
            }
        }
    }
}
