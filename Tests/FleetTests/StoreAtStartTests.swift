import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("The store is not what it should be")
    struct StoreAtStartTests {
        private static let sessions = (0..<30).map { "session-\($0)" }
        private static let notUsed = "The store is unavailable."

        /// Each replica has said so, once, and nothing else of the kind.
        private func expectSaidOnce(_ fleet: Fleet, _ reason: String) {
            for replica in fleet.replicas {
                let lines = replica.errorLog.split(separator: "\n").filter { $0.contains(Self.notUsed) }
                #expect(lines.count == 1 && lines[0].contains(reason), "\(replica.name) said \(lines)")
            }
        }

        /// Served and agreed without the store; with it, within 5 s of what `mend` does, and at the same backends.
        private func expectServedThenMended(
            _ fleet: Fleet, reason: String, _ mend: @escaping @Sendable () throws -> Void
        )
            async throws
        {
            let before = try await fleet.agreement(on: Self.sessions)
            #expect(Set(before.values).count > 1)
            let isSaid = try await Threads.run {
                Waiting.until(within: 5) { fleet.replicas.allSatisfy { $0.errorLog.contains(Self.notUsed) } }
            }
            #expect(isSaid)
            // While it is mended the store may be unavailable for another reason.
            expectSaidOnce(fleet, reason)
            let isBack = try await Threads.run {
                try mend()
                return fleet.allUseStore(within: 5)
            }
            #expect(isBack, "the store is not in use after 5 s")
            try await #expect(fleet.agreement(on: Self.sessions) == before)
            for replica in fleet.replicas {
                let lines = replica.errorLog.split(separator: "\n")
                #expect(lines.count { $0.contains(Self.notUsed) && $0.contains(reason) } == 1, "\(replica.name)")
                #expect(lines.count { $0.contains("The store is available.") } == 1)
            }
        }

        @Test("absent at the start: said once, served by hashing, used within 5 s of its appearance")
        func absent() async throws {
            try await withFleet(.init(store: .absent)) { fleet in
                try await expectServedThenMended(fleet, reason: "cannot connect") { try fleet.startRedis() }
                try #expect(fleet.records().count == Self.sessions.count)
            }
        }

        @Test("a wrong password: said once, served by hashing, used within 5 s of the right one")
        func wrongPassword() async throws {
            let options = Fleet.Options(
                store: .unusable(["--requirepass", "another-password"]), password: "the-password")
            try await withFleet(options) { fleet in
                try await expectServedThenMended(fleet, reason: "the username or password is wrong") {
                    try fleet.redis.command(
                        "-a", "another-password", "--no-auth-warning", "CONFIG", "SET", "requirepass", "the-password")
                }
                for replica in fleet.replicas { #expect(!replica.errorLog.contains("the-password")) }
            }
        }

        @Test("a web server in its place: said once, served by hashing, a Redis used within 5 s of its appearance")
        func webServer() async throws {
            try await withFleet(.init(replicas: 0, store: .absent)) { fleet in
                let impostor = try await Threads.run {
                    let impostor = try WhoamiProcess("impostor", in: fleet.directory, port: fleet.storePort)
                    for _ in 0..<3 { try fleet.addReplica() }
                    return impostor
                }
                let before = try await fleet.agreement(on: Self.sessions)
                let isSaid = try await Threads.run {
                    Waiting.until(within: 5) { fleet.replicas.allSatisfy { $0.errorLog.contains(Self.notUsed) } }
                }
                #expect(isSaid)
                expectSaidOnce(fleet, "does not speak the Redis protocol")
                let isBack = try await Threads.run {
                    impostor.process.kill()
                    try fleet.startRedis()
                    return fleet.allUseStore(within: 5)
                }
                #expect(isBack)
                try await #expect(fleet.agreement(on: Self.sessions) == before)
            }
        }

        @Test(
            "a Redis Cluster: named as one, once, served by hashing, a Redis that is none used within 5 s of its appearance"
        )
        func cluster() async throws {
            try await withFleet(.init(store: .unusable(RedisServer.clusterNode()))) { fleet in
                try await expectServedThenMended(fleet, reason: "the server is a Redis Cluster node") {
                    try fleet.redis.kill()
                    try fleet.startRedis()
                }
            }
        }

        @Test("values that Limpet did not write are obeyed by nobody, dialled by nobody, and repaired")
        func foreignValues() async throws {
            try await withFleet { fleet in
                var before: Set<String> = []
                for (name, spoil) in Self.foreign {
                    let session = "session \(name)"
                    let home = try await fleet.agreement(on: [session])
                    let (key, record) = try #require(try fleet.records().first { !before.contains($0.key) })
                    before.insert(key)
                    try spoil(fleet.redis, key, record)
                    // One that knows nothing finds the value.
                    let isUsed = try await Threads.run {
                        try fleet.restartReplica(2)
                        return fleet.allUseStore(within: 5)
                    }
                    #expect(isUsed, "\(name)")
                    let served = try await Threads.run {
                        let client = FleetClient(fleet)
                        var served: [String] = []
                        // It may place the session elsewhere, until those have spoken who know.
                        _ = try Waiting.until(within: 5) {
                            served = try [2, 0, 1].map { try client.backend(of: session, at: $0) }
                            return Set(served).count == 1
                        }
                        return served
                    }
                    #expect(Set(served).count == 1, "\(name): \(served)")
                    let repaired = try fleet.records()[key]
                    #expect(repaired.flatMap(UInt64.init) != nil, "\(name): left as \((repaired ?? "").prefix(40))")
                    if served == Array(repeating: home[session], count: 3) {
                        #expect(repaired?.backendBits == record.backendBits, "\(name)")
                    }
                }
                let isUsed = try await Threads.run { fleet.allUseStore(within: 5) }
                #expect(isUsed)
            }
        }

        @Test("a value larger than a reply may be costs its session the store, and nobody a request")
        func hugeValue() async throws {
            try await withFleet { fleet in
                _ = try await fleet.agreement(on: ["session"])
                let key = try #require(try fleet.records().first?.key)
                try fleet.redis.command("SETRANGE", key, "1048576", "x")
                let others = try await fleet.agreement(on: Self.sessions)
                let served = try await Threads.run {
                    try fleet.restartReplica(2)
                    let client = FleetClient(fleet)
                    return try (0..<60).map { number in
                        // So that the store is tried again between them.
                        Thread.sleep(forTimeInterval: 0.05)
                        return try client.backend(of: "session", at: number % 3)
                    }
                }
                #expect(Set(served).isSubset(of: Set(fleet.backends.map(\.name))))
                try fleet.redis.command("DEL", key)
                let isUsed = try await Threads.run { fleet.allUseStore(within: 5) }
                #expect(isUsed)
                try await #expect(fleet.agreement(on: Self.sessions) == others)
            }
        }

        private typealias Spoiling = @Sendable (RedisServer, _ key: String, _ record: String) throws -> Void

        private static let foreign: [(String, Spoiling)] = [
            ("garbage", { redis, key, _ in try redis.command("SET", key, "not a record") }),
            ("empty", { redis, key, _ in try redis.command("SET", key, "") }),
            ("negative", { redis, key, _ in try redis.command("SET", key, "-1") }),
            ("an address", { redis, key, _ in try redis.command("SET", key, "http://127.0.0.1:1/") }),
            ("an unknown backend", { redis, key, _ in try redis.command("SET", key, String(12345 << 24 | 7)) }),
            (
                "the last epoch",
                { redis, key, record in
                    try redis.command("SET", key, String((record.backendBits ?? 0) << 24 | (1 << 24 - 1)))
                }
            ),
            (
                "a list",
                { redis, key, _ in
                    try redis.command("DEL", key)
                    try redis.command("RPUSH", key, "1", "2")
                }
            ),
            ("large", { redis, key, _ in try redis.command("SET", key, String(repeating: "9", count: 20_000)) }),
        ]
    }
}
