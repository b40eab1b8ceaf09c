import Foundation
import LimpetTestKit
import Synchronization
import Testing

private enum Measuring {
    static let isWanted = ProcessInfo.processInfo.environment["LIMPET_MEASURE"] != nil
}

extension FleetTests {
    /// Figures, printed as text: how late others follow a move, and what an outage costs. They mean something for an
    /// optimised build alone, which `LIMPET_RELEASE_BIN` names.
    @Suite(
        "Measurements", .enabled(if: Measuring.isWanted, "LIMPET_MEASURE is not set"),
        .timeLimit(.minutes(10)))
    struct StoreMeasurements {
        /// In seconds; `LIMPET_MEASURE_OUTAGE` shortens it.
        private static let longOutage =
            ProcessInfo.processInfo.environment["LIMPET_MEASURE_OUTAGE"].flatMap(Double.init) ?? 60

        // MARK: Staleness

        /// Two replicas are cut off from a backend, so that most of the fleet takes it to be down; the third reaches
        /// it, and so stays with it until it hears of each move.
        @Test("how long a replica serves a session from where it was after another has moved it")
        func staleness() async throws {
            let filter = try PacketFilter()
            try await withFleet(.init(budget: "100ms", lease: "500ms", hasOwnGroups: true)) { fleet in
                let home = try await fleet.agreement(on: (0..<900).map { "session-\($0)" })
                let sessions = home.filter { $0.value == "b1" }.map(\.key).sorted()
                let lags = try await Threads.run {
                    let port = fleet.backends[1].port
                    for index in 0..<2 { try filter.cut(group: Fleet.group(of: index), from: port, .reject) }
                    let client = FleetClient(fleet)
                    guard let first = sessions.first else { return [Double]() }
                    // Until the fleet has made up its mind, it moves nothing.
                    let isMoved = try Waiting.until(within: 10) {
                        _ = try client.backend(of: first, at: 0)
                        return try fleet.records().values.contains { $0.epoch == 2 }
                    }
                    #expect(isMoved)
                    return try sessions.dropFirst().map { try Self.lag(client, fleet, $0) }
                }
                #expect(lags.count >= 200)
                Self.printLags(lags)
            }
        }

        /// Moves a session by a request at one replica while another is asked for it without a pause, on a thread of
        /// its own: the milliseconds from the sending of the move to the last request that the other sent to the old
        /// backend. The move itself comes later than its sending, so this is more than the staleness.
        private static func lag(_ client: FleetClient, _ fleet: Fleet, _ session: String) throws -> Double {
            guard try client.backend(of: session, at: 2) == "b1" else { return 0 }
            let last = Mutex<ContinuousClock.Instant?>(nil)
            let failure = Mutex<(any Error)?>(nil)
            let isPolling = DispatchSemaphore(value: 0)
            let isOver = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                defer { isOver.signal() }
                do {
                    let observer = FleetClient(fleet)
                    let end = ContinuousClock.now + .seconds(5)
                    var asked = ContinuousClock.now
                    while try observer.backend(of: session, at: 2) == "b1" {
                        if last.withLock({ $0 }) == nil { isPolling.signal() }
                        last.withLock { $0 = asked }
                        guard asked < end else { throw Unexpected(description: "\(session) is not followed") }
                        asked = .now
                    }
                } catch {
                    failure.withLock { $0 = error }
                    isPolling.signal()
                }
            }
            isPolling.wait()
            let sent = ContinuousClock.now
            let answer = try client.backend(of: session, at: 0)
            isOver.wait()
            if let error = failure.withLock({ $0 }) { throw error }
            guard answer != "b1", let old = last.withLock({ $0 }) else {
                throw Unexpected(description: "\(session) does not move")
            }
            return max(0, (old - sent) / .milliseconds(1))
        }

        private static func printLags(_ lags: [Double]) {
            let sorted = lags.sorted()
            guard let worst = sorted.last else { return }
            func quantile(_ share: Double) -> Double {
                sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
            }
            print("\(lags.count) moves, ms from the sending of the move to the last request that went astray:")
            print(String(format: "  p50 %.2f  p99 %.2f  worst %.2f", quantile(0.5), quantile(0.99), worst))
            let edges = [0, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, .infinity]
            for (low, high) in zip(edges, edges.dropFirst()) {
                let count = lags.count { $0 >= low && $0 < high }
                if count > 0 { print("  \(low)..<\(high): \(count)") }
            }
        }

        // MARK: Outages

        private static let outages = [
            StoreFault("frozen") {
                try $0.freeze()
            } end: {
                try $0.redis.thaw()
            },
            StoreFault("blackholed") { fleet in
                for proxy in fleet.faults {
                    try proxy.receive(.blackholed)
                    try proxy.set(.halfOpen)
                }
            },
            StoreFault("killed", losesRecords: true) {
                try $0.redis.kill()
            } end: {
                try $0.redis.start()
            },
        ]

        private static let faultOptions = Fleet.Options(budget: "20ms", lease: "500ms", hasFaultProxies: true)

        /// When the outage began and ended, and when the store was in use again, in seconds since 1970.
        private struct Course {
            var begin = 0.0
            var end = 0.0
            var recovered = 0.0
        }

        /// Five seconds without the fault, so many with it, ten after it.
        private static func undergo(_ fleet: Fleet, _ fault: StoreFault, seconds: Double) throws -> Course {
            var course = Course()
            Thread.sleep(forTimeInterval: 5)
            course.begin = Fleet.wallClock
            let begin = ContinuousClock.now
            try fault.begin(fleet)
            Thread.sleep(forTimeInterval: seconds)
            let attempts = try fleet.faults.map { try $0.busiestSecond(since: begin) }
            let all = try fleet.faults.map { proxy in try proxy.accepted.count { $0.time >= begin } }
            course.end = Fleet.wallClock
            try fault.end(fleet)
            let isBack = fleet.allUseStore(within: 20)
            course.recovered = Fleet.wallClock
            #expect(isBack)
            Thread.sleep(forTimeInterval: 10)
            print("\(fault.testDescription) for \(Int(seconds)) s:")
            print("  connections to the store, by replica: \(all), at most \(attempts) in one second")
            print(String(format: "  store in use again after %.2f s", course.recovered - course.end))
            return course
        }

        @Test("what an outage costs at 500 requests a second", arguments: outages)
        func outage(_ fault: StoreFault) async throws {
            try await withFleet(Self.faultOptions) { fleet in
                let course = Mutex(Course())
                let load = FixedRate(rate: 500, threads: 40)
                let samples = try await fleet.underLoad(load) {
                    ($0 % 20 == 19 ? "new-\($0 / 60)" : "session-\($0 % 1000)", $0 / 1000 % 3)
                } _: { _ in
                    let result = try Self.undergo(fleet, fault, seconds: 10)
                    course.withLock { $0 = result }
                }
                let times = course.withLock { $0 }
                let phases = [
                    ("before", -Double.infinity, times.begin), ("first second", times.begin, times.begin + 1),
                    ("rest of the outage", times.begin + 1, times.end), ("after", times.end, .infinity),
                ]
                for (name, begin, end) in phases {
                    let phase = samples.filter { $0.wallTime >= begin && $0.wallTime < end }
                    print("  \(name): \(phase.figures)")
                }
                #expect(samples.failures.isEmpty)
            }
        }

        @Test("the recovery of three replicas with 10,000 live sessions each", arguments: outages)
        func recovery(_ fault: StoreFault) async throws {
            try await withFleet(Self.faultOptions) { fleet in
                _ = try await Threads.run(12) { thread in
                    let client = FleetClient(fleet)
                    for number in stride(from: thread / 3, to: 10_000, by: 4) {
                        _ = try client.backend(of: "session-\(number)", at: thread % 3)
                    }
                }
                let course = Mutex(Course())
                let samples = try await fleet.underLoad(FixedRate(rate: 500, threads: 40)) {
                    ("session-\($0 * 7919 % 10_000)", $0 % 3)
                } _: { _ in
                    let result = try Self.undergo(fleet, fault, seconds: Self.longOutage)
                    course.withLock { $0 = result }
                }
                let times = course.withLock { $0 }
                let before = samples.filter { $0.wallTime < times.begin }
                print("  before: \(before.figures)")
                let after = samples.filter { $0.wallTime >= times.end }
                for (second, samples) in Dictionary(grouping: after, by: { Int($0.wallTime - times.end) })
                    .sorted(by: { $0.key < $1.key })
                {
                    print("  second \(second) of the recovery: \(samples.figures)")
                }
                try print("  records in the store: \(fleet.records().count)")
                #expect(samples.failures.isEmpty)
            }
        }
    }
}
