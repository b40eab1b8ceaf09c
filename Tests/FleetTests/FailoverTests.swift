import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// The address of the store passes from a primary that died to the replica that was promoted.
    @Suite("The store fails over")
    struct FailoverTests {
        private static let sessions = (0..<90).map { "session-\($0)" }

        /// A Redis that has everything the fleet's has.
        private static func follower(of fleet: Fleet) throws -> RedisServer {
            let follower = try RedisServer(["--replicaof", "127.0.0.1 \(fleet.storePort)"])
            guard
                try Waiting.until(
                    within: 10, { try follower.command("INFO", "replication").contains("master_link_status:up") })
            else { throw Unexpected(description: "the replica of the store does not follow it") }
            return follower
        }

        private static func pass(_ fleet: Fleet, to follower: RedisServer) throws {
            try fleet.redis.kill()
            try follower.command("REPLICAOF", "NO", "ONE")
            for proxy in fleet.faults {
                try proxy.lead(to: follower.port)
                try proxy.reset()
            }
        }

        @Test("no request fails, no session moves, and what the new primary missed it is told")
        func failsOver() async throws {
            // A Redis that is followed begins at once, not after five seconds.
            let store = Fleet.Store.running(["--repl-diskless-sync-delay", "0"])
            try await withFleet(.init(store: store, hasFaultProxies: true)) { fleet in
                let first = try await fleet.agreement(on: Self.sessions)
                let follower = try await Threads.run { try Self.follower(of: fleet) }
                // From here on the follower misses what is written: the moves off a backend that dies.
                try await Threads.run {
                    try follower.command("REPLICAOF", "NO", "ONE")
                    fleet.backends[1].process.kill()
                }
                let home = try await fleet.agreement(after: first, lost: "b1")
                try await fleet.returnBackend(1)
                let records = try fleet.records()
                let samples = try await fleet.underLoad(FixedRate(rate: 200, threads: 12)) {
                    (Self.sessions[$0 % Self.sessions.count], $0 / 7 % 3)
                } _: { load in
                    try load.awaitRequests(100)
                    try Self.pass(fleet, to: follower)
                    try fleet.awaitChannels()
                    try load.awaitRequests(200)
                }
                #expect(samples.failures.isEmpty)
                let moved = samples.backends.filter { $0.value != Set([home[$0.key]].compactMap(\.self)) }
                #expect(moved.isEmpty, "\(moved)")
                try await #expect(fleet.agreement(on: Self.sessions) == home)
                let told = try await Threads.run {
                    try Waiting.until(within: 10) { try fleet.records(of: follower) == records }
                }
                #expect(told)
                withExtendedLifetime(follower) {}
            }
        }

        @Test("a store that becomes a replica is not written to, and what it holds is obeyed; then it is primary again")
        func demoted() async throws {
            try await withFleet(.init(hasFaultProxies: true)) { fleet in
                let home = try await fleet.agreement(on: Self.sessions)
                let other = try await Threads.run { try RedisServer() }
                let samples = try await fleet.underLoad(FixedRate(rate: 200, threads: 12)) {
                    (Self.sessions[$0 % Self.sessions.count], $0 / 7 % 3)
                } _: { load in
                    // It must not lose its own data to the other one, so that one cannot be reached.
                    other.freeze()
                    try fleet.redis.command("REPLICAOF", "127.0.0.1", "\(other.port)")
                    try fleet.awaitChannels(areLive: false)
                    try load.awaitRequests(200)
                    try fleet.redis.command("REPLICAOF", "NO", "ONE")
                    try fleet.awaitChannels()
                }
                other.thaw()
                #expect(samples.failures.isEmpty)
                let moved = samples.backends.filter { $0.value != Set([home[$0.key]].compactMap(\.self)) }
                #expect(moved.isEmpty, "\(moved)")
                try await #expect(fleet.agreement(on: Self.sessions) == home)
            }
        }

        @Test("a Redis that does not need its replicas is named, again when it comes to lack something else")
        func guarded() async throws {
            let store = Fleet.Store.running(["--repl-diskless-sync-delay", "0"])
            try await withFleet(.init(replicas: 1, store: store)) { fleet in
                try await Threads.run {
                    let replica = fleet.replicas[0]
                    func lines(_ lack: String) -> Int {
                        let text = "(min-replicas-to-write is \(lack))"
                        return replica.errorLog.split(separator: "\n").count { $0.contains(text) }
                    }
                    func subscribeAgain() throws {
                        let before = try replica.metric("limpet_channel_generations_total") ?? 0
                        try fleet.redis.command("CLIENT", "KILL", "TYPE", "pubsub")
                        let isBack = try Waiting.until(within: 20) {
                            try replica.metric("limpet_channel_generations_total") ?? 0 > before
                        }
                        #expect(isBack)
                    }
                    #expect(Waiting.until(within: 10) { lines("0") == 1 })
                    let followers = try (0..<2).map { _ in try Self.follower(of: fleet) }
                    try fleet.redis.command("CONFIG", "SET", "min-replicas-to-write", "1")
                    try subscribeAgain()
                    #expect(Waiting.until(within: 10) { lines("below their number") == 1 })
                    try subscribeAgain()
                    #expect(lines("0") == 1 && lines("below their number") == 1)
                    withExtendedLifetime(followers) {}
                }
            }
        }
    }
}
