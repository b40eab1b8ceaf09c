import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension Fleet {
    /// Replicas that find their store by these Sentinels.
    static func options(named deployment: SentinelDeployment) -> Options {
        Options(store: .named(deployment), budget: "50ms", lease: "500ms", hasAccessLog: true)
    }

    /// Returns once these replicas use the server as their store. Blocks.
    func awaitPrimary(_ server: RedisServer, at indices: [Int]? = nil, within seconds: Double = 10) throws {
        let asked = indices.map { $0.map { replicas[$0] } } ?? replicas
        let name = "limpet_store_primary_info{address=\"127.0.0.1:\(server.port)\"}"
        let isUsed = Waiting.until(within: seconds) {
            asked.allSatisfy { $0.usesStore && (try? $0.metric(name)) == 1 }
        }
        guard isUsed else { throw Unexpected(description: "not all replicas use the primary at \(server.port)") }
    }
}

extension FleetTests {
    /// Three replicas find the primary by three Sentinels; 500 requests a second go on through each fail-over.
    @Suite("Sentinels name the store's primary", .timeLimit(.minutes(5)))
    struct SentinelTests {
        private static let known = (0..<60).map { "known-\($0)" }
        private static let load = FixedRate(rate: 500, threads: 60)
        /// After so many seconds a replica acts on no binding that has moved: the lease, drift and a turn of the store.
        private static let bound = 0.7
        /// How many seconds after its promotion a primary is in use. A build that is not optimised takes longer.
        private static let useMax = LimpetProgram.releasePath == nil ? 4.0 : 2.0

        /// Three of four requests are of known sessions; each new session comes to every replica in turn.
        @Sendable private static func request(_ number: Int) -> (session: String, replica: Int) {
            let replica = number / 4 % 3
            return (number % 4 == 3 ? "late-\(number / 12)" : known[number % known.count], replica)
        }

        /// How a primary ends, or seems to.
        enum Fault: String, Sendable, CaseIterable, CustomTestStringConvertible {
            /// An operator asks for it.
            case asked
            case killed, frozen
            /// Its host is gone: packets are dropped. Without the packet filter, a test of its own says so.
            case cutOff

            var testDescription: String { rawValue }

            static let possible = allCases.filter { $0 != .cutOff || PacketFilter.obstacle == nil }
        }

        private static func begin(_ fault: Fault, _ deployment: SentinelDeployment, _ filter: PacketFilter?) throws {
            let primary = deployment.servers[0]
            switch fault {
            case .asked: try deployment.sentinels[0].command("SENTINEL", "FAILOVER", SentinelDeployment.primaryName)
            case .killed: primary.kill()
            case .frozen: primary.freeze()
            case .cutOff: try filter?.cut(port: primary.port)
            }
        }

        /// The moments of a fail-over, in seconds since 1970.
        private struct Course: Sendable {
            var begun = 0.0
            /// A server says that it is the primary.
            var promoted = 0.0
            /// All replicas use it.
            var inUse = 0.0
            /// All replicas hear each other by it, and may rest on what they remember.
            var settled = 0.0
        }

        private static func failOver(
            _ fault: Fault, _ deployment: SentinelDeployment, _ fleet: Fleet, _ filter: PacketFilter?,
            _ load: FixedRate.Progress
        ) throws -> Course {
            var course = Course()
            try load.awaitRequests(500)
            course.begun = Fleet.wallClock
            try begin(fault, deployment, filter)
            let promoted = try deployment.awaitPrimary(among: deployment.servers.dropFirst())
            course.promoted = Fleet.wallClock
            try fleet.awaitPrimary(promoted)
            course.inUse = Fleet.wallClock
            try fleet.awaitChannels()
            course.settled = Fleet.wallClock
            try load.awaitRequests(500)
            return course
        }

        @Test(
            "no client sees a fail-over, the new primary is used within 2 s, and all replicas agree within 5 s",
            arguments: Fault.possible)
        func failsOver(_ fault: Fault) async throws {
            let deployment = try await Threads.run { try SentinelDeployment(.init(followers: 2, guardedBy: 1)) }
            defer { deployment.end() }
            let filter = fault == .cutOff ? try PacketFilter() : nil
            try await withFleet(Fleet.options(named: deployment)) { fleet in
                try await fleet.awaitSynced()
                let home = try await fleet.agreement(on: Self.known)
                let result = Mutex(Course())
                let samples = try await fleet.underLoad(Self.load, Self.request) { load in
                    let course = try Self.failOver(fault, deployment, fleet, filter, load)
                    result.withLock { $0 = course }
                }
                let course = result.withLock { $0 }
                print(
                    "\(fault.rawValue): promoted \(Self.seconds(course.begun, course.promoted)) after the fault, "
                        + "in use \(Self.seconds(course.promoted, course.inUse)) after that, "
                        + "live \(Self.seconds(course.promoted, course.settled)); \(samples.figures)")
                #expect(samples.failures.isEmpty)
                #expect(course.inUse - course.promoted < Self.useMax)
                let moved = samples.backends.filter { session, seen in home[session].map { seen != [$0] } ?? false }
                #expect(moved.isEmpty, "\(moved)")
                try await Threads.run { try Self.check(fleet, samples, course) }
            }
        }

        private static func seconds(_ from: Double, _ to: Double) -> String { String(format: "%.2f s", to - from) }

        /// Five seconds after the promotion all replicas agree on every session, with each other and the new primary.
        private static func check(_ fleet: Fleet, _ samples: [FixedRate.Sample], _ course: Course) throws {
            let sessions = Set(samples.map(\.session)).sorted()
            var seen = samples.seen.merging(try fleet.askAll(sessions, round: "resolve")) { $1 }
            Thread.sleep(forTimeInterval: max(bound, course.promoted + 5 - Fleet.wallClock))
            let healed = Fleet.wallClock
            seen.merge(try fleet.askAll(sessions, round: "settled")) { $1 }
            let outage = FleetHistory.Outage(begin: course.begun, end: course.settled + bound, losesRecords: true)
            let history = try fleet.history(seen: seen, outages: [outage])
            #expect(history.differences(fromSeen: seen).isEmpty)
            #expect(history.epochCount > 0)
            #expect(history.tornEpochs().isEmpty)
            #expect(history.staleDecisions(bound: bound).isEmpty)
            #expect(history.disagreements(since: healed).isEmpty)
        }
    }
}
