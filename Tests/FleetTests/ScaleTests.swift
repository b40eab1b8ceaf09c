import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    /// Under load all the while; clients go to the next replica where one takes no connection.
    @Suite("The fleet changes")
    struct ScaleTests {
        private static let known = (0..<90).map { "known-\($0)" }

        /// Known sessions at all replicas, and now and then one that was never seen.
        private static func load(
            _ fleet: Fleet, newcomers: Bool, _ body: @escaping @Sendable () throws -> Void
        ) async throws -> [FixedRate.Sample] {
            let load = FixedRate(rate: 200, threads: 12, movesOn: true)
            return try await fleet.underLoad(load) { number in
                let isNew = newcomers && number % 10 == 9
                return (isNew ? "new-\(number)" : known[number % known.count], number / 3 % fleet.ports.count)
            } _: { load in
                try load.awaitRequests(100)
                try body()
                try load.awaitRequests(100)
            }
        }

        /// Known sessions that were served by anybody but the backend they had.
        private static func moved(_ samples: [FixedRate.Sample], _ home: [String: String]) -> [String: Set<String>] {
            samples.backends.filter { session, backends in home[session].map { backends != [$0] } ?? false }
        }

        private static func roll(_ fleet: Fleet) throws {
            let ends = try fleet.rollReplicas()
            #expect(ends.allSatisfy { $0 == .exited(0) }, "the replicas ended so: \(ends)")
        }

        @Test("a replica that joins takes its part: no request fails, no session moves")
        func replicaJoins() async throws {
            try await withFleet { fleet in
                let home = try await fleet.agreement(on: Self.known)
                let stored = "limpet_requests_total{service=\"app\",code=\"200\",provenance=\"stored\"}"
                let samples = try await Self.load(fleet, newcomers: true) {
                    try fleet.addReplica()
                    let takesPart = try Waiting.until(within: 10) {
                        try fleet.replicas[3].metric(stored) ?? 0 > 0
                    }
                    #expect(takesPart)
                }
                #expect(samples.failures.isEmpty)
                #expect(Self.moved(samples, home).isEmpty)
                let torn = samples.backends.filter { $0.value.count != 1 }
                #expect(torn.isEmpty)
                try await #expect(fleet.agreement(on: Self.known) == home)
            }
        }

        @Test("a backend that is added gets new sessions; no request fails, no session moves")
        func backendAdded() async throws {
            try await withFleet { fleet in
                let home = try await fleet.agreement(on: Self.known)
                let samples = try await Self.load(fleet, newcomers: false) {
                    try fleet.addBackend()
                    try Self.roll(fleet)
                }
                #expect(samples.failures.isEmpty)
                #expect(Self.moved(samples, home).isEmpty)
                let newcomers = try await fleet.agreement(on: (0..<40).map { "later-\($0)" })
                #expect(newcomers.values.contains("b3"))
                try await #expect(fleet.agreement(on: Self.known) == home)
            }
        }

        @Test("the sessions of a backend that is taken out move, and no other; no request fails")
        func backendRemoved() async throws {
            try await withFleet { fleet in
                let home = try await fleet.agreement(on: Self.known)
                let samples = try await Self.load(fleet, newcomers: true) {
                    fleet.change { $0.unnamedBackends = ["b2"] }
                    try Self.roll(fleet)
                }
                #expect(samples.failures.isEmpty)
                #expect(Self.moved(samples, home.filter { $0.value != "b2" }).isEmpty)
                let after = try await fleet.agreement(on: Self.known)
                #expect(home.values.contains("b2") && !after.values.contains("b2"))
                #expect(home.filter { $0.value != "b2" }.allSatisfy { after[$0.key] == $0.value })
            }
        }

        @Test("a draining backend keeps its sessions and gets no new ones; no request fails")
        func backendDrained() async throws {
            try await withFleet { fleet in
                let home = try await fleet.agreement(on: Self.known)
                let samples = try await Self.load(fleet, newcomers: true) {
                    fleet.change { $0.drainingBackends = ["b2"] }
                    try Self.roll(fleet)
                }
                #expect(samples.failures.isEmpty)
                #expect(Self.moved(samples, home).isEmpty)
                let newcomers = try await fleet.agreement(on: (0..<60).map { "later-\($0)" })
                #expect(Set(newcomers.values) == ["b0", "b1"])
                try await #expect(fleet.agreement(on: Self.known) == home)
                #expect(home.values.contains("b2"))
            }
        }

        /// A client with a cookie, which it keeps as it is told.
        private struct Browser {
            let backend: String
            var cookie: String
        }

        /// How far the browsers are.
        private final class Browsing: Sendable {
            private let state = Mutex((requests: 0, renewed: Set<Int>()))

            func answered(_ browser: Int, isRenewed: Bool) {
                state.withLock { state in
                    state.requests += 1
                    if isRenewed { state.renewed.insert(browser) }
                }
            }

            /// Returns once so many more requests have been answered. Blocks.
            func awaitRequests(_ count: Int) throws {
                let target = state.withLock { $0.requests } + count
                guard Waiting.until(within: 20, { state.withLock { $0.requests >= target } }) else {
                    throw Unexpected(description: "the browsers do not get on")
                }
            }

            /// Returns once all of so many browsers have been given another cookie. Blocks.
            func awaitRenewal(of count: Int) throws {
                state.withLock { $0.renewed = [] }
                guard Waiting.until(within: 20, { state.withLock { $0.renewed.count == count } }) else {
                    throw Unexpected(description: "not all cookies are renewed")
                }
            }
        }

        private static let browsersEach = 8
        private static let browsingThreads = 4

        /// Each of a few threads has sessions of its own, which it uses in turn.
        private static func browse(
            _ fleet: Fleet, _ browsing: Browsing, _ isOver: @escaping @Sendable () -> Bool
        ) async throws -> [String] {
            try await Threads.run(browsingThreads) { thread in
                let client = FleetClient(fleet, movesOn: true)
                var browsers = try (0..<browsersEach).map { number in
                    let first = try client.exchange(HTTPRequest(), at: (thread + number) % 3)
                    return Browser(backend: try first.servedBy(), cookie: first.cookie ?? "")
                }
                var faults: [String] = []
                var number = 0
                while !isOver() {
                    let index = number % browsers.count
                    let request = HTTPRequest(fields: ["Cookie": browsers[index].cookie])
                    let response = try client.exchange(request, at: number / 7 % 3)
                    let backend = try response.servedBy()
                    if backend != browsers[index].backend {
                        faults.append("\(thread)/\(index) left \(browsers[index].backend) for \(backend)")
                    }
                    browsers[index].cookie = response.cookie ?? browsers[index].cookie
                    browsing.answered(thread * browsersEach + index, isRenewed: response.cookie != nil)
                    number += 1
                    Thread.sleep(forTimeInterval: 0.005)
                }
                return faults
            }.flatMap(\.self)
        }

        @Test("sealing keys are rolled under load: no session loses its backend")
        func keysRolled() async throws {
            // A hint is renewed after a second here, a quarter of its validity.
            let options = Fleet.Options(
                budget: "200ms", lease: "500ms", sticky: "cookie: { name: sid }, idleTimeout: 4s")
            try await withFleet(options) { fleet in
                try await Threads.run {
                    try fleet.setCookieKeys(["old"])
                    try Self.roll(fleet)
                }
                let isOver = Mutex(false)
                let browsing = Browsing()
                async let faults = Self.browse(fleet, browsing) { isOver.withLock { $0 } }
                try await Threads.run {
                    defer { isOver.withLock { $0 = true } }
                    try browsing.awaitRequests(100)
                    for keys in [["old", "new"], ["new", "old"], ["new"]] {
                        try fleet.setCookieKeys(keys)
                        try Self.roll(fleet)
                        // The old key may go once nobody has a hint that it sealed.
                        guard keys == ["new", "old"] else { continue }
                        try browsing.awaitRenewal(of: Self.browsingThreads * Self.browsersEach)
                    }
                    try browsing.awaitRequests(100)
                }
                try await #expect(faults.isEmpty)
            }
        }
    }
}
