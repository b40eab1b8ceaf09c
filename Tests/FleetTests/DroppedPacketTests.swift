import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    /// The host of one backend of three is gone, under load: nothing says so, packets are lost.
    @Suite(
        "A backend whose packets are dropped, at 500 requests a second",
        .enabled(if: PacketFilter.obstacle == nil, "\(PacketFilter.obstacle ?? "")"))
    struct DroppedPacketTests {
        private static let sessions = (0..<60).map { "session-\($0)" }
        private static let connectTimeout = 0.5
        private static let responseTimeout = 2.0
        /// How much later than the bounds answers may come on a busy machine: most of them, and all.
        private static let (slack, slackOfAll) = (0.75, 2.0)
        /// So many that none has to wait for another's answer: each sends a request every 2.4 s.
        private static let load = FixedRate(rate: 500, threads: 1200)

        private static func options(_ onUnavailable: String) -> Fleet.Options {
            Fleet.Options(
                budget: "200ms", lease: "500ms", sticky: "header: X-Session-ID, onUnavailable: \(onUnavailable)",
                transport: "forwardingTimeouts: { dialTimeout: \(Int(connectTimeout * 1000))ms,"
                    + " responseHeaderTimeout: \(Int(responseTimeout))s }")
        }

        /// Each session goes to one replica after the other.
        @Sendable private static func request(_ number: Int) -> (session: String, replica: Int) {
            let turn = number / 3
            return (sessions[turn % sessions.count], number % 3)
        }

        /// Moments in seconds since 1970, and counts of attempts at the backend.
        private struct Course: Sendable {
            var cut = 0.0
            /// All replicas know that the backend is down.
            var known = 0.0
            var healed = 0.0
            /// All replicas know that it is back.
            var back = 0.0
            /// By all replicas: when the last of them knew, and before the packets passed again.
            var attemptsWhenKnown = 0
            var attemptsAtLast = 0
            var waitingAtLast = 0
        }

        /// Requests at `b1` that have failed, and those that are on their way to it, as each replica says at once.
        private static func attempts(_ fleet: Fleet) throws -> (failed: Int, waiting: Int) {
            let labels = "{service=\"app\",backend=\"b1\""
            return try fleet.replicas.reduce(into: (failed: 0, waiting: 0)) { sum, replica in
                for line in try replica.admin("/metrics").text.split(separator: "\n") {
                    let value = Int(line.split(separator: " ").last ?? "") ?? 0
                    if line.hasPrefix("limpet_backend_failures_total\(labels)") { sum.failed += value }
                    if line.hasPrefix("limpet_backend_requests_in_flight\(labels)") { sum.waiting += value }
                }
            }
        }

        /// Returns the moment at which the last replica found the backend down, or up. Blocks.
        private static func moment(_ fleet: Fleet, isUp: Bool) throws -> Double {
            let metric = "limpet_backend_up{service=\"app\",backend=\"b1\"}"
            let isSo = try Waiting.until(within: 10) {
                try fleet.replicas.allSatisfy { try $0.metric(metric) == (isUp ? 1 : 0) }
            }
            try #require(isSo, "b1 is not \(isUp ? "up" : "down")")
            return Fleet.wallClock
        }

        /// Cuts the backend off while the load runs, waits until everybody knows, and longer than any request may take;
        /// then heals it.
        private static func follow(
            _ fleet: Fleet, _ filter: PacketFilter, _ progress: FixedRate.Progress
        ) throws -> Course {
            var course = Course()
            try progress.awaitRequests(1500)
            course.cut = Fleet.wallClock
            try filter.cut(port: fleet.backends[1].port)
            course.known = try moment(fleet, isUp: false)
            let known = try attempts(fleet)
            course.attemptsWhenKnown = known.failed + known.waiting
            try progress.awaitRequests(2000)
            (course.attemptsAtLast, course.waitingAtLast) = try attempts(fleet)
            try filter.heal()
            course.healed = Fleet.wallClock
            course.back = try moment(fleet, isUp: true)
            try progress.awaitRequests(500)
            return course
        }

        @Test(
            "every request is answered within its bound, and none is sent to it once it is known to be down",
            arguments: ["move", "detour"])
        func dropped(_ onUnavailable: String) async throws {
            let filter = try PacketFilter()
            try await withFleet(Self.options(onUnavailable)) { fleet in
                try await Threads.run { try fleet.awaitChannels() }
                let home = try await fleet.agreement(on: Self.sessions)
                try #require(Set(home.values) == ["b0", "b1", "b2"])
                let courses = Courses()
                let samples = try await fleet.underLoad(
                    Self.load, Self.request,
                    { courses.course = try Self.follow(fleet, filter, $0) })
                let course = courses.course
                try #require(course.back > 0)
                Self.check(samples, course, onUnavailable)
                Self.check(backends: samples, course, home, moves: onUnavailable == "move")
                try Self.check(fleet, home, moves: onUnavailable == "move")
            }
        }

        private final class Courses: Sendable {
            private let value = Mutex(Course())

            var course: Course {
                get { value.withLock { $0 } }
                set { value.withLock { $0 = newValue } }
            }
        }

        /// How long requests took, and how many attempts there were.
        private static func check(_ samples: [FixedRate.Sample], _ course: Course, _ onUnavailable: String) {
            let failed = samples.filter { $0.failure != nil }
            let delayed = samples.filter { $0.failure == nil && $0.wallTime >= course.cut && $0.latency > 0.25 }
            let before = samples.filter { $0.wallTime < course.cut - responseTimeout }
            let later = samples.filter { $0.wallTime > course.known }
            print(
                """
                \(onUnavailable): known to be down after \(Int((course.known - course.cut) * 1000)) ms; \
                \(failed.count) requests had been sent (\(failed.figures)); \
                \(delayed.count) waited for a connection (\(delayed.figures)); before: \(before.figures); \
                once known: \(later.figures); attempts \(course.attemptsWhenKnown), \(course.attemptsAtLast) at last; \
                used again after \(Int((course.back - course.healed) * 1000)) ms
                """)
            // The first request that needs a connection comes at once, and tries twice.
            #expect(course.known - course.cut < 2 * connectTimeout + slackOfAll)
            #expect(!failed.isEmpty && !delayed.isEmpty)
            #expect(failed.allSatisfy { $0.failure?.hasPrefix("504 ") == true }, "\(failed.failures)")
            #expect(areWithin(responseTimeout, failed), "\(failed.figures)")
            #expect(failed.allSatisfy { (course.cut - slackOfAll...course.known).contains($0.wallTime) })
            #expect(areWithin(2 * connectTimeout, delayed), "\(delayed.figures)")
            // Those that waited for the backend would be a third of them.
            #expect(later.count > 2000 && later.quantile(0.99) < connectTimeout * 1000, "\(later.figures)")
            #expect(later.allSatisfy { $0.latency < connectTimeout + slackOfAll }, "\(later.figures)")
            #expect(course.waitingAtLast == 0)
            #expect(course.attemptsAtLast == course.attemptsWhenKnown)
        }

        /// Whether these took no longer than so many seconds, but for what a busy machine adds.
        private static func areWithin(_ bound: Double, _ samples: [FixedRate.Sample]) -> Bool {
            samples.quantile(0.75) < (bound + slack) * 1000
                && samples.allSatisfy { $0.latency < bound + slackOfAll }
        }

        /// Where requests went whose replicas all knew, until packets passed again; and after that.
        private static func check(
            backends samples: [FixedRate.Sample], _ course: Course, _ home: [String: String], moves: Bool
        ) {
            let down = samples.filter { (course.known..<course.healed).contains($0.wallTime + $0.latency) }
            #expect(down.allSatisfy { $0.wallTime < course.known || $0.backend != "b1" })
            let others = samples.filter { home[$0.session] != "b1" }
            #expect(others.allSatisfy { $0.backend == home[$0.session] }, "sessions of other backends left them")
            let back = samples.filter { $0.wallTime > course.back && home[$0.session] == "b1" }
            #expect(!back.isEmpty && back.allSatisfy { moves ? $0.backend != "b1" : $0.backend == "b1" })
        }

        /// What the store says afterwards.
        private static func check(_ fleet: Fleet, _ home: [String: String], moves: Bool) throws {
            let epochs = try fleet.records().values.map(\.epoch)
            #expect(epochs.count { $0 == 2 } == (moves ? home.values.count { $0 == "b1" } : 0))
            #expect(epochs.allSatisfy { $0 == 1 || $0 == 2 })
        }
    }
}
