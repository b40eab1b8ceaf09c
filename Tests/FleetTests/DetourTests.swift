import LimpetTestKit
import Testing

extension FleetTests {
    /// A replica alone must not move everybody's sessions.
    @Suite(
        "One replica cannot reach a backend that the others can",
        .enabled(if: PacketFilter.obstacle == nil, "\(PacketFilter.obstacle ?? "")"))
    struct DetourTests {
        private static let sessions = (0..<60).map { "session-\($0)" }
        /// How many seconds after the first failure a session leaves. A build that is not optimised takes longer.
        private static let moveMax = LimpetProgram.releasePath == nil ? 1.5 : 0.5
        private static let options = Fleet.Options(
            budget: "200ms", lease: "500ms", hasAccessLog: true, hasOwnGroups: true)

        @Test(
            "its requests are detoured, nobody's session is moved, and all is as before once it is healed",
            arguments: [PacketFilter.Verdict.drop, .reject])
        func detoured(_ verdict: PacketFilter.Verdict) async throws {
            let filter = try PacketFilter()
            try await withFleet(Self.options) { fleet in
                let home = try await fleet.agreement(on: Self.sessions)
                let records = try fleet.records()
                try await Threads.run {
                    try filter.cut(group: Fleet.group(of: 0), from: fleet.backends[1].port, verdict)
                    let seen = try fleet.askAll(Self.sessions, round: "cut")
                    try Self.check(fleet, home, seen)
                    try #expect(fleet.records() == records)
                    try filter.heal()
                    let isHealed = try Waiting.until(within: 5) {
                        try fleet.replicas[0].metric("limpet_backend_up{service=\"app\",backend=\"b1\"}") == 1
                    }
                    #expect(isHealed)
                }
                try await #expect(fleet.agreement(on: Self.sessions) == home)
                try #expect(fleet.records() == records)
            }
        }

        /// Only the sessions of `b1` are detoured, only at the first replica, and each to the same backend as always.
        private static func check(_ fleet: Fleet, _ home: [String: String], _ seen: [String: String]) throws {
            let history = try fleet.history(seen: seen)
            let cut = history.requests.filter { $0.target.hasPrefix("/cut/") }
            #expect(cut.count == sessions.count * 3 && cut.allSatisfy { $0.status == 200 })
            for request in cut {
                let number = request.target.split(separator: "/").dropFirst().first.flatMap { Int($0) } ?? 0
                let backend = home[sessions[number]]
                if request.replica == "r0", backend == "b1" {
                    #expect(request.provenance == "detoured" && request.backend != "b1", "\(request)")
                } else {
                    #expect(request.provenance != "detoured" && request.backend == backend, "\(request)")
                }
            }
        }

        @Test("a backend that refuses connections is left within half a second, by all, for the same other")
        func refusing() async throws {
            try await withFleet(Self.options) { fleet in
                try await Threads.run { try fleet.awaitChannels() }
                let listening = ContinuousClock.now
                let home = try await fleet.agreement(on: Self.sessions)
                // A replica that has not listened for three seconds yet gives whoever may be there a whole lease.
                try await Task.sleep(until: listening + .seconds(3.1))
                let seconds = try await Threads.run { try Self.secondsUntilLeft(fleet, home) }
                #expect(seconds <= Self.moveMax)
                let moved = try await fleet.agreement(on: Self.sessions)
                #expect(!moved.values.contains("b1"))
                #expect(home.filter { $0.value != "b1" }.allSatisfy { moved[$0.key] == $0.value })
            }
        }

        /// From the failure of a first request to the answer to the first that found its session recorded elsewhere, as
        /// the replica logs it: to ask the store takes a busy machine long.
        private static func secondsUntilLeft(_ fleet: Fleet, _ home: [String: String]) throws -> Double {
            guard let session = home.first(where: { $0.value == "b1" })?.key else {
                throw Unexpected(description: "no session is on b1")
            }
            fleet.backends[1].process.kill()
            let client = FleetClient(fleet)
            let begin = Fleet.wallClock
            let moved = try Waiting.poll(within: 5) {
                for _ in 0..<5 { _ = try client.backend(of: session, at: 0) }
                return try fleet.history(seen: [:]).requests.first { $0.epoch == 2 }
            }
            try #expect(fleet.records().values.contains { $0.epoch == 2 })
            return try #require(moved).end - begin
        }
    }
}
