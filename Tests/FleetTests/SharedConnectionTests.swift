import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// Eight event loops, of which two have a connection to Redis.
    @Suite("Fewer connections to Redis than event loops")
    struct SharedConnectionTests {
        private static let known = (0..<60).map { "known-\($0)" }
        private static let options = Fleet.Options(replicas: 2, threads: 8, connections: 2)

        /// The connections of the replicas to Redis.
        private static func connections(_ fleet: Fleet) throws -> Int {
            try fleet.redis.command("CLIENT", "LIST").split(separator: "\n").count { !$0.contains("cmd=client|list") }
        }

        @Test("sessions keep their backend on every loop of every replica, also of one that knew none of them")
        func affinity() async throws {
            try await withFleet(Self.options) { fleet in
                try await Threads.run { try fleet.awaitChannels() }
                let first = try await fleet.agreement(on: Self.known)
                fleet.backends[0].process.kill()
                let home = try await fleet.agreement(after: first, lost: fleet.backends[0].name)
                try await fleet.returnBackend(0)
                #expect(home != first)

                // It remembers nothing, so its loops ask for each session, most of them over another loop.
                let end = try await Threads.run { try fleet.rollReplica(1) }
                #expect(end == .exited(0))
                try await Threads.run { try fleet.awaitChannels() }
                let samples = try await fleet.underLoad(
                    FixedRate(rate: 200, threads: 24),
                    { number in
                        let session =
                            number % 4 == 3 ? "late-\(number / 8)" : Self.known[number % Self.known.count]
                        return (session, number / 4 % 2)
                    }, { load in try load.awaitRequests(600) })
                #expect(samples.failures.isEmpty, "\(samples.failures)")
                for sample in samples {
                    guard let backend = home[sample.session] else { continue }
                    #expect(sample.backend == backend, "\(sample.session)")
                }
                let late = Dictionary(grouping: samples.filter { home[$0.session] == nil }, by: \.session)
                #expect(late.count > 50 && late.values.allSatisfy { Set($0.map(\.backend)).count == 1 })
                try await #expect(fleet.agreement(on: Self.known) == home)

                try await Threads.run {
                    let found = try Self.connections(fleet)
                    // Each replica has its subscription as well.
                    #expect(found == 2 * (2 + 1))
                    let loops = try fleet.replicas.map { try $0.metric("limpet_store_loops") }
                    #expect(loops == [8, 8])
                }
            }
        }

        @Test(
            "Redis that is back is used by all loops, and a replica that stops under load fails no request"
        )
        func outage() async throws {
            try await withFleet(Self.options) { fleet in
                let redis = try fleet.redis
                let samples = try await fleet.underLoad(
                    FixedRate(rate: 100, threads: 24, movesOn: true), { ("new-\($0)", $0 % 2) },
                    { load in
                        try load.awaitRequests(50)
                        redis.kill()
                        #expect(fleet.allUseStore(false, within: 5))
                        try load.awaitRequests(50)
                        try redis.start()
                        #expect(fleet.allUseStore(within: 8))
                        try load.awaitRequests(50)
                        let end = try fleet.restartReplica(1)
                        #expect(end == .exited(0))
                        try load.awaitRequests(50)
                    })
                #expect(samples.failures.isEmpty, "\(samples.failures)")
                try await Threads.run {
                    let loops = try fleet.replicas.map { try $0.metric("limpet_store_loops") }
                    #expect(loops == [8, 8])
                    let found = try Self.connections(fleet)
                    #expect(found == 2 * (2 + 1))
                }
            }
        }
    }
}
