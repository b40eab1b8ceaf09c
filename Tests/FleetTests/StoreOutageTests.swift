import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    @Suite("The store goes away")
    struct StoreOutageTests {
        /// A minute's part by default; all of it where `LIMPET_LONG_TESTS` is set.
        private static let outage = ProcessInfo.processInfo.environment["LIMPET_LONG_TESTS"] == nil ? 8.0 : 30.0
        private static let known = (0..<60).map { "known-\($0)" }

        /// Three of four requests are of known sessions; each new session comes to every replica in turn.
        private static func request(_ number: Int, _ phase: String) -> (session: String, replica: Int) {
            guard number % 4 == 3 else {
                return (known[number % known.count], number / 7 % 3)
            }
            return ("\(phase)-\(number / 12)", number / 4 % 3)
        }

        private func load(_ fleet: Fleet, _ phase: String, seconds: Double) async throws -> [FixedRate.Sample] {
            let end = ContinuousClock.now + .seconds(seconds)
            return try await FixedRate().run(fleet, isOver: { ContinuousClock.now >= end }) { Self.request($0, phase) }
        }

        @Test("a store that hangs costs no request, at most its budget, and no session its backend")
        func hangs() async throws {
            try await withFleet(.init(budget: "20ms", lease: "500ms")) { fleet in
                let home = try await fleet.agreement(on: Self.known)
                let before = try await load(fleet, "before", seconds: 3)
                try await Threads.run { try fleet.freeze() }
                let during = try await load(fleet, "during", seconds: Self.outage)
                let failures = (before + during).compactMap(\.failure)
                #expect(failures.isEmpty)
                let torn = (before + during).backends.filter { $0.value != (home[$0.key].map { [$0] } ?? $0.value) }
                #expect(torn.isEmpty, "known sessions that left their backend: \(torn)")
                let split = during.backends.filter { $0.value.count != 1 }
                #expect(split.isEmpty, "new sessions that replicas placed differently: \(split)")
                check(latencyBefore: before, during)
                try fleet.redis.thaw()
                let isBack = try await Threads.run { fleet.allUseStore(within: 5) }
                #expect(isBack)
                let after = try await fleet.agreement(on: Self.known)
                #expect(after == home)
                let newcomers = during.map(\.session).filter { $0.hasPrefix("during") }
                _ = try await fleet.agreement(on: Array(Set(newcomers)))
            }
        }

        private func check(latencyBefore before: [FixedRate.Sample], _ during: [FixedRate.Sample]) {
            let settled = during.filter { $0.time > 3 }
            print(
                "p50, p99, worst in ms: \(Self.figures(before)) with the store, \(Self.figures(during)) without,",
                "\(Self.figures(settled)) after 3 s")
            // 20 ms are the budget; the rest is for a machine that does other things, too.
            let slack = max(20, 2 * before.lastingP99)
            let withBudget = before.lastingP99 + 20 + slack
            // New sessions ask the store that has just stopped: without the budget half of them would wait for longer.
            let first = during.filter { $0.time < 1 && $0.session.hasPrefix("during") }
            #expect(first.count > 30 && first.quantile(0.7) <= withBudget, "\(first.figures)")
            #expect(during.lastingP99 <= withBudget)
            #expect(settled.lastingP99 <= before.lastingP99 + slack)
        }

        private static func figures(_ samples: [FixedRate.Sample]) -> String {
            [0.5, 0.99, 1].map { String(format: "%.1f", samples.quantile($0)) }.joined(separator: ", ")
        }

        @Test("a store that lost everything is told again: what was known, moves included, and what was guessed")
        func losesEverything() async throws {
            try await withFleet { fleet in
                // Some sessions move first, so that there are records above epoch 1.
                let first = try await fleet.agreement(on: Self.known)
                try await Threads.run { fleet.backends[0].process.kill() }
                let home = try await fleet.agreement(after: first, lost: "b0")
                #expect(first.values.contains("b0") && !home.values.contains("b0"))
                try await fleet.returnBackend(0)
                let records = try fleet.records()
                #expect(records.count == Self.known.count && records.values.contains { $0.epoch == 2 })

                try await Threads.run { try fleet.redis.kill() }
                let isGone = try await Threads.run { fleet.allUseStore(false, within: 5) }
                #expect(isGone)
                try await #expect(fleet.agreement(on: Self.known) == home)
                let guessed = (0..<40).map { "guessed-\($0)" }
                let guesses = try await fleet.agreement(on: guessed)

                try await Threads.run { try fleet.redis.start() }
                let isBack = try await Threads.run { fleet.allUseStore(within: 5) }
                #expect(isBack)
                try await #expect(fleet.agreement(on: Self.known) == home)
                // What was guessed may have been told by now, too.
                try #expect(fleet.records().filter { records[$0.key] != nil } == records)
                try await #expect(fleet.agreement(on: guessed) == guesses)
                try #expect(fleet.records().count == records.count + guesses.count)
                // A replica that knows nothing learns all of it from the store.
                try await Threads.run { try fleet.addReplica() }
                try await #expect(fleet.agreement(on: Self.known + guessed) == home.merging(guesses) { $1 })
            }
        }
    }
}

extension Fleet {
    /// Stops the store in its tracks, and returns when it has stopped.
    func freeze() throws {
        try redis.freeze()
        let pid = try redis.pid
        guard try Waiting.until(within: 5, { try ProcessStatus(pid).state == "T" }) else {
            throw Unexpected(description: "redis-server goes on")
        }
    }
}

extension String {
    /// Of a record as the store holds it.
    var epoch: UInt64? { UInt64(self).map { $0 & (1 << 24 - 1) } }
    /// Likewise.
    var backendBits: UInt64? { UInt64(self).map { $0 >> 24 } }
}
