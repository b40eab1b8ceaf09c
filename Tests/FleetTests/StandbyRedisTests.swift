import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("What standby costs Redis, and what Redis must permit")
    struct StandbyRedisTests {
        /// Of a command since the last `CONFIG RESETSTAT`.
        private struct CommandCost {
            var calls = 0
            var microseconds = 0
        }

        private static func costs(_ redis: RedisServer) throws -> [String: CommandCost] {
            var costs: [String: CommandCost] = [:]
            for line in try redis.command("INFO", "commandstats").split(whereSeparator: \.isNewline) {
                // cmdstat_get:calls=2,usec=5,usec_per_call=2.50,…
                guard let match = line.firstMatch(of: /^cmdstat_([a-z|]+):calls=(\d+),usec=(\d+),/) else { continue }
                costs[String(match.1)] = CommandCost(calls: Int(match.2) ?? 0, microseconds: Int(match.3) ?? 0)
            }
            return costs
        }

        @Test("a page of a scan, with its reads, takes at most 0.5 ms of Redis's time on average")
        func page() async throws {
            try await withFleet { fleet in
                try await fleet.awaitSynced()
                var crowd = SessionCrowd(fleet)
                try await crowd.place(10_000)
                try await fleet.settleSessions()
                try await Threads.run {
                    _ = fleet.replicas[2].stop()
                    try fleet.redis.command("CONFIG", "RESETSTAT")
                    try fleet.restartReplica(2)
                }
                try await fleet.awaitSynced()
                let costs = try Self.costs(fleet.redis)
                let pages = costs["scan"]?.calls ?? 0
                // Whatever reads records: heartbeats do not.
                let reads = ["scan", "get", "getrange", "pttl"].compactMap { costs[$0] }
                let microseconds = reads.map(\.microseconds).reduce(0, +)
                print("a page: \(microseconds / max(1, pages)) µs, on average of \(pages)")
                #expect(pages >= 50)
                #expect(reads.map(\.calls).reduce(0, +) > 10_000, "the records were not read")
                #expect(microseconds <= 500 * pages)
            }
        }

        /// What a user may do, and what its replicas then say.
        struct Rights: Sendable, CustomTestStringConvertible {
            let testDescription: String
            let rules: [String]
            let expected: StandbyView

            private static let commands =
                ["set", "get", "getex", "pttl", "pexpire", "eval", "evalsha"]
                + ["publish", "subscribe", "ping", "info"]

            private init(_ name: String, channels: [String], commands: [String], _ expected: StandbyView) {
                testDescription = name
                rules =
                    ["~\(Fleet.namespace):*"] + channels.map { "&\(Fleet.namespace):\($0)" }
                    + (Self.commands + commands).map { "+\($0)" }
                self.expected = expected
            }

            static let all = [
                Rights(
                    "all that is needed", channels: ["*"], commands: ["scan", "getrange"],
                    .init(state: "synced", reason: nil)),
                Rights("no SCAN", channels: ["*"], commands: ["getrange"], unscanned),
                Rights(
                    "not the channel of announcements", channels: ["rebind", "fleet", "hb:*"],
                    commands: ["scan", "getrange"], .init(state: "off", reason: nil)),
            ]

            private static let unscanned = StandbyView(state: "not synced", reason: "scan")
        }

        @Test(
            "a user who may not scan, or not hear announcements, has no standby; moves are followed as ever",
            arguments: Rights.all)
        func rights(_ rights: Rights) async throws {
            let user = ["--user", "limited", "on", ">its-password"] + rights.rules
            var options = Fleet.Options(store: .running(user), password: "its-password")
            options.username = "limited"
            try await withFleet(options) { fleet in
                try await Threads.run { try fleet.awaitChannels() }
                let home = try await fleet.agreement(on: (0..<60).map { "session-\($0)" })
                let views = try await Threads.run {
                    _ = try Waiting.until(within: 10) {
                        try fleet.replicas.allSatisfy { try $0.standby() == rights.expected }
                    }
                    return try fleet.replicas.map { try $0.standby() }
                }
                #expect(views.allSatisfy { $0 == rights.expected }, "\(views)")
                fleet.backends[0].process.kill()
                let moved = try await fleet.agreement(after: home, lost: "b0")
                #expect(home.values.contains("b0") && !moved.values.contains("b0"))
                #expect(home.filter { $0.value != "b0" }.allSatisfy { moved[$0.key] == $0.value })
                try await Threads.run { try fleet.awaitChannels() }
            }
        }
    }
}
