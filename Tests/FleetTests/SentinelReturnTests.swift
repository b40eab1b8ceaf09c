import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    /// A primary that was replaced is back, or was there all the time for one replica.
    @Suite("A primary that was replaced comes back", .timeLimit(.minutes(5)))
    struct SentinelReturnTests {
        private static let known = (0..<60).map { "known-\($0)" }
        private static let load = FixedRate(rate: 200, threads: 24)
        /// After so many seconds a replica acts on no binding that has moved: the lease, drift and a turn of the store.
        private static let bound = 0.7

        @Sendable private static func request(_ number: Int) -> (session: String, replica: Int) {
            (known[number % known.count], number / 7 % 3)
        }

        /// Moments, in seconds since 1970.
        private struct Course: Sendable {
            var begun = 0.0
            var promoted = 0.0
            var settled = 0.0
            /// The sessions of a backend have moved, at the new primary.
            var moved = 0.0
            /// The old primary is awake, or reachable for all.
            var back = 0.0
        }

        /// Kills a backend, and starts it again once a majority of replicas has moved its sessions.
        private static func moveSessions(
            _ fleet: Fleet, _ primary: RedisServer, _ load: FixedRate.Progress
        ) throws {
            fleet.backends[1].process.kill()
            let areMoved = try Waiting.until(within: 15) {
                try fleet.records(of: primary).values.contains { ($0.epoch ?? 0) > 1 }
            }
            try #require(areMoved, "no session was moved")
            try load.awaitRequests(200)
            try fleet.restartBackend(1)
        }

        private static func caught(_ samples: [FixedRate.Sample]) -> [FixedRate.Sample] {
            samples.filter { $0.failure?.hasPrefix("502") == true }
        }

        private static func history(
            _ fleet: Fleet, _ samples: [FixedRate.Sample], _ course: Course
        ) throws -> FleetHistory {
            try fleet.history(
                seen: samples.seen,
                outages: [FleetHistory.Outage(begin: course.begun, end: course.settled + bound, losesRecords: true)])
        }

        // MARK: Frozen, replaced, woken

        @Test(
            "one that wakes is believed by nobody, whatever it takes from whom",
            arguments: [0, 1, 2])
        func wakes(guardedBy number: Int) async throws {
            let deployment = try await Threads.run { try SentinelDeployment(.init(followers: 2, guardedBy: number)) }
            defer { deployment.end() }
            try await withFleet(Fleet.options(named: deployment)) { fleet in
                try await fleet.awaitSynced()
                _ = try await fleet.agreement(on: Self.known)
                let result = Mutex(Course())
                let samples = try await fleet.underLoad(Self.load, Self.request) { load in
                    let course = try Self.freezeAndWake(deployment, fleet, guardedBy: number, load)
                    result.withLock { $0 = course }
                }
                let course = result.withLock { $0 }
                #expect(samples.failures.count == Self.caught(samples).count, "\(samples.failures)")
                try await Threads.run {
                    let history = try Self.history(fleet, samples, course)
                    #expect(history.requests.contains { $0.start > course.back && $0.provenance == "cached" })
                    #expect(history.tornEpochs().isEmpty)
                    #expect(history.staleDecisions(bound: Self.bound).isEmpty)
                    #expect(history.disagreements(since: course.back + 2).isEmpty)
                }
            }
        }

        private static func freezeAndWake(
            _ deployment: SentinelDeployment, _ fleet: Fleet, guardedBy number: Int, _ load: FixedRate.Progress
        ) throws -> Course {
            let old = deployment.servers[0]
            var course = Course()
            try load.awaitRequests(200)
            course.begun = Fleet.wallClock
            old.freeze()
            let promoted = try deployment.awaitPrimary(among: deployment.servers.dropFirst())
            course.promoted = Fleet.wallClock
            // Two of the three are left: a primary that needs two followers takes no writes until the old one is one.
            if number < 2 {
                try fleet.awaitPrimary(promoted)
                try fleet.awaitChannels()
                course.settled = Fleet.wallClock
                try moveSessions(fleet, promoted, load)
            }
            course.moved = Fleet.wallClock
            old.thaw()
            course.back = Fleet.wallClock
            try load.awaitRequests(800)
            try fleet.awaitPrimary(promoted)
            if number >= 2 {
                let followsAgain = Waiting.until(within: 20) { !SentinelDeployment.isPrimary(old) }
                try #require(followsAgain, "the old primary does not follow the new one")
                try fleet.awaitChannels()
                course.settled = Fleet.wallClock
                course.back = Fleet.wallClock
                try load.awaitRequests(600)
            }
            return course
        }

        @Test(
            "one that wakes, and that no Sentinel names to the replicas, is not used however it answers",
            .enabled(if: PacketFilter.obstacle == nil, "\(PacketFilter.obstacle ?? "")"))
        func isNotNamed() async throws {
            let deployment = try await Threads.run { try SentinelDeployment(.init(followers: 1)) }
            defer { deployment.end() }
            let filter = try PacketFilter()
            var options = Fleet.options(named: deployment)
            options.hasOwnGroups = true
            try await withFleet(options) { fleet in
                try await fleet.awaitSynced()
                let home = try await fleet.agreement(on: Self.known)
                let samples = try await fleet.underLoad(Self.load, Self.request) { load in
                    let (old, new) = (deployment.servers[0], deployment.servers[1])
                    for index in fleet.replicas.indices {
                        for port in deployment.sentinels.map(\.port) {
                            try filter.cut(group: Fleet.group(of: index), from: port, .drop)
                        }
                    }
                    old.freeze()
                    _ = try deployment.awaitPrimary(among: [new])
                    old.thaw()
                    // It takes writes, as it needs no followers, for as long as the Sentinels leave it alone.
                    let end = ContinuousClock.now + .seconds(4)
                    while ContinuousClock.now < end, SentinelDeployment.isPrimary(old) {
                        #expect(fleet.replicas.allSatisfy { !$0.usesStore })
                        Thread.sleep(forTimeInterval: 0.1)
                    }
                    try filter.heal()
                    try fleet.awaitPrimary(new)
                    try fleet.awaitChannels()
                    try load.awaitRequests(200)
                }
                #expect(samples.failures.isEmpty, "\(samples.failures)")
                try await #expect(fleet.agreement(on: Self.known) == home)
            }
        }

        // MARK: Cut off together with one replica

        @Test(
            "one that only one replica still reaches divides nobody once it is guarded, and all agree when they meet again",
            .enabled(if: PacketFilter.obstacle == nil, "\(PacketFilter.obstacle ?? "")"), arguments: [0, 1, 2])
        func divided(guardedBy number: Int) async throws {
            var layout = SentinelDeployment.Options(followers: 2, guardedBy: number)
            // Above min-replicas-max-lag + 1 s + the lease.
            layout.downAfterMilliseconds = 3000
            let deployment = try await Threads.run { [layout] in try SentinelDeployment(layout) }
            defer { deployment.end() }
            let filter = try PacketFilter()
            var options = Fleet.options(named: deployment)
            options.hasOwnGroups = true
            try await withFleet(options) { fleet in
                try await fleet.awaitSynced()
                _ = try await fleet.agreement(on: Self.known)
                let result = Mutex(Course())
                let samples = try await fleet.underLoad(Self.load, Self.request) { load in
                    let course = try Self.divide(deployment, fleet, filter, guardedBy: number, load)
                    result.withLock { $0 = course }
                }
                let course = result.withLock { $0 }
                #expect(samples.failures.count == Self.caught(samples).count, "\(samples.failures)")
                try await Threads.run { try Self.check(fleet, samples, course, guardedBy: number) }
            }
        }

        private static func divide(
            _ deployment: SentinelDeployment, _ fleet: Fleet, _ filter: PacketFilter, guardedBy number: Int,
            _ load: FixedRate.Progress
        ) throws -> Course {
            let old = deployment.servers[0]
            var course = Course()
            try load.awaitRequests(200)
            course.begun = Fleet.wallClock
            let alone = Fleet.group(of: 0)
            for port in deployment.servers.dropFirst().map(\.port) + deployment.sentinels.map(\.port) {
                try filter.cut(group: alone, from: port, .drop)
            }
            try filter.cut(port: old.port, exceptFrom: alone)
            let promoted = try deployment.awaitPrimary(among: deployment.servers.dropFirst())
            course.promoted = Fleet.wallClock
            if number < 2 {
                try fleet.awaitPrimary(promoted, at: [1, 2])
                try moveSessions(fleet, promoted, load)
            }
            course.moved = Fleet.wallClock
            try load.awaitRequests(400)
            try filter.heal()
            course.back = Fleet.wallClock
            try fleet.awaitPrimary(promoted, within: 20)
            if number >= 2 {
                let followsAgain = Waiting.until(within: 20) { !SentinelDeployment.isPrimary(old) }
                try #require(followsAgain, "the old primary does not follow the new one")
            }
            try fleet.awaitChannels()
            course.settled = Fleet.wallClock
            try load.awaitRequests(400)
            return course
        }

        private static func check(
            _ fleet: Fleet, _ samples: [FixedRate.Sample], _ course: Course, guardedBy number: Int
        ) throws {
            let history = try history(fleet, samples, course)
            // The replica alone, by bindings of before, although others might have moved on. What it has moved itself
            // has a higher epoch.
            func alone(_ provenance: String) -> [RoutedRequest] {
                history.requests.filter {
                    $0.replica == "r0" && $0.provenance == provenance && $0.epoch == 1 && $0.start > course.promoted
                        && $0.end < course.back
                }
            }
            let last = alone("cached").last.map { $0.start - course.promoted } ?? 0
            let lastRead = alone("stored").last.map { $0.start - course.promoted } ?? 0
            print(
                String(
                    format:
                        "min-replicas-to-write %d: promoted after %.2f s; the replica that was left behind decided by "
                        + "memory for %.2f s more, by what it read there for %.2f s, of %.2f s; "
                        + "in use everywhere %.2f s after they met again", number,
                    course.promoted - course.begun, last, lastRead, course.back - course.promoted,
                    course.settled - course.back))
            if number > 0 { #expect(last == 0, "the last one \(last) s after the promotion") }
            let healed = course.settled + bound
            #expect(history.tornEpochs().isEmpty)
            #expect(history.staleDecisions(bound: bound).isEmpty)
            #expect(history.disagreements(since: healed).isEmpty)
            if number < 2 { #expect(course.settled - course.back < 5) }
        }
    }
}
