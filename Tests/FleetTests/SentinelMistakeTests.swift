import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    /// What other clients of Sentinel got wrong.
    @Suite("Sentinels and servers in odd states", .timeLimit(.minutes(5)))
    struct SentinelMistakeTests {
        private static let known = (0..<60).map { "known-\($0)" }
        private static let load = FixedRate(rate: 200, threads: 24)

        @Sendable private static func request(_ number: Int) -> (session: String, replica: Int) {
            (known[number % known.count], number / 7 % 3)
        }

        private static func expectWell(_ fleet: Fleet, _ samples: [FixedRate.Sample], _ home: [String: String])
            async throws
        {
            #expect(samples.failures.isEmpty, "\(samples.failures)")
            let moved = samples.backends.filter { $0.value != Set([home[$0.key]].compactMap(\.self)) }
            #expect(moved.isEmpty, "\(moved)")
            try await #expect(fleet.agreement(on: known) == home)
        }

        @Test("the primary and the first Sentinel die and return together: all connections end at the new primary")
        func diesWithFirstSentinel() async throws {
            let deployment = try await Threads.run { try SentinelDeployment(.init(followers: 1)) }
            defer { deployment.end() }
            try await withFleet(Fleet.options(named: deployment)) { fleet in
                try await fleet.awaitSynced()
                let home = try await fleet.agreement(on: Self.known)
                let (old, new) = (deployment.servers[0], deployment.servers[1])
                let samples = try await fleet.underLoad(Self.load, Self.request) { load in
                    try load.awaitRequests(200)
                    deployment.sentinels[0].kill()
                    old.kill()
                    _ = try deployment.awaitPrimary(among: [new])
                    try fleet.awaitPrimary(new)
                    // Both return with what they had: the one takes itself for the primary, the other names it.
                    try old.start()
                    try deployment.sentinels[0].start()
                    try load.awaitRequests(600)
                    try fleet.awaitPrimary(new)
                    try fleet.awaitChannels()
                    try load.awaitRequests(200)
                }
                try await Self.expectWell(fleet, samples, home)
                try await Threads.run {
                    let clients = try old.command("CLIENT", "LIST", "TYPE", "normal")
                    #expect(!clients.contains("evalsha"), "\(clients)")
                    for replica in fleet.replicas {
                        #expect(!replica.errorLog.contains("READONLY"))
                    }
                }
            }
        }

        @Test("a fail-over while nobody asks anything is noticed all the same, although the old connections stay open")
        func idle() async throws {
            let deployment = try await Threads.run { try SentinelDeployment(.init(followers: 1)) }
            defer { deployment.end() }
            var options = Fleet.options(named: deployment)
            // An answer that is late is one that never comes.
            options.budget = "400ms"
            try await withFleet(options) { fleet in
                try await fleet.awaitSynced()
                let home = try await fleet.agreement(on: Self.known)
                try await Threads.run {
                    // Frozen, so that nothing is closed.
                    deployment.servers[0].freeze()
                    let new = try deployment.awaitPrimary(among: [deployment.servers[1]])
                    try fleet.awaitPrimary(new)
                    try fleet.awaitChannels()
                }
                // The first requests after it are as good as any.
                try await #expect(fleet.agreement(on: Self.known) == home)
                try await Threads.run {
                    let records = try fleet.records(of: deployment.servers[1])
                    #expect(records.count == Self.known.count)
                    for replica in fleet.replicas {
                        #expect(try replica.metric("limpet_store_failures_total{kind=\"late\"}") == 0)
                    }
                }
            }
        }

        @Test("all restart at once, one Sentinel remembers an old primary, and two servers say that they are one")
        func allRestart() async throws {
            let deployment = try await Threads.run { try SentinelDeployment(.init(followers: 1)) }
            defer { deployment.end() }
            try await withFleet(Fleet.options(named: deployment)) { fleet in
                try await fleet.awaitSynced()
                let home = try await fleet.agreement(on: Self.known)
                let (first, second) = (deployment.servers[0], deployment.servers[1])
                let samples = try await fleet.underLoad(Self.load, Self.request) { load in
                    let old = try deployment.sentinels[2].configuration()
                    try deployment.sentinels[0].command("SENTINEL", "FAILOVER", SentinelDeployment.primaryName)
                    _ = try deployment.awaitPrimary(among: [second])
                    try fleet.awaitPrimary(second)
                    for sentinel in deployment.sentinels { sentinel.kill() }
                    for server in deployment.servers { server.kill() }
                    try deployment.sentinels[2].setConfiguration(old)
                    // Both begin as they were configured: the first as a primary, the second as its replica.
                    try first.start()
                    try second.start()
                    try second.command("REPLICAOF", "NO", "ONE")
                    for sentinel in deployment.sentinels { try sentinel.start() }
                    try fleet.awaitPrimary(second)
                    try fleet.awaitChannels()
                    try load.awaitRequests(600)
                    try fleet.awaitPrimary(second)
                }
                try await Self.expectWell(fleet, samples, home)
                try await Threads.run {
                    let clients = try first.command("CLIENT", "LIST", "TYPE", "normal")
                    #expect(!clients.contains("evalsha"), "\(clients)")
                }
            }
        }
    }
}
