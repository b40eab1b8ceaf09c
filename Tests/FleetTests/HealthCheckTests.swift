import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("A health check fails")
    struct HealthCheckTests {
        private static let sessions = (0..<40).map { "session-\($0)" }
        private static let check =
            "healthCheck: { path: /health, interval: 200ms, timeout: 1s, headers: { X-Replica: REPLICA } }"

        /// A fleet of three replicas and two backends, `own0` and `own1`, and where the sessions are.
        private static func withSick(
            replicas: Int = 3, _ onUnavailable: String = "move", balancer: String = check,
            _ body: @Sendable @escaping (Fleet, [SickBackend]) async throws -> Void
        ) async throws {
            let sick = try ["own0", "own1"].map { try SickBackend($0) }
            defer { for backend in sick { backend.close() } }
            let options = Fleet.Options(
                replicas: replicas, backends: 0, budget: "200ms", lease: "500ms",
                sticky: "header: X-Session-ID, onUnavailable: \(onUnavailable)", balancer: balancer,
                ownBackends: sick.map(\.port))
            try await withFleet(options) { fleet in
                try await Threads.run { try fleet.awaitChannels() }
                try await body(fleet, sick)
            }
        }

        /// Whether these replicas, and no others, soon find the first backend down, or up.
        private static func find(_ isUp: Bool, _ replicas: [LimpetProcess]) async throws -> Bool {
            try await Threads.run {
                try Waiting.until(within: 5) {
                    try replicas.allSatisfy {
                        try $0.metric("limpet_backend_up{service=\"app\",backend=\"own0\"}") == (isUp ? 1 : 0)
                    }
                }
            }
        }

        @Test(
            "on one replica alone: its requests are detoured, or rejected, and nobody's session is moved",
            arguments: ["move", "detour", "reject"])
        func alone(_ onUnavailable: String) async throws {
            try await Self.withSick(onUnavailable) { fleet, sick in
                let home = try await fleet.agreement(on: Self.sessions)
                #expect(Set(home.values) == ["own0", "own1"])
                let records = try fleet.records()
                // Replicas that have listened for three seconds know who is there.
                try await Task.sleep(for: .seconds(3.1))
                sick[0].sicken(for: "r0")
                try await #expect(Self.find(false, [fleet.replicas[0]]))
                // The others were asked, and have answered.
                try await Task.sleep(for: .seconds(2))
                try await #expect(Self.find(true, Array(fleet.replicas.dropFirst())))
                try await Threads.run {
                    let client = FleetClient(fleet)
                    for session in Self.sessions {
                        let answer = try client.exchange(HTTPRequest(fields: ["X-Session-ID": session]), at: 0)
                        if onUnavailable == "reject", home[session] == "own0" {
                            #expect(answer.status == 503)
                        } else {
                            try #expect(answer.servedBy() == "own1")
                        }
                        for replica in 1...2 { try #expect(client.backend(of: session, at: replica) == home[session]) }
                    }
                    try #expect(fleet.records() == records)
                    let services = try fleet.replicas[0].json("/api/http/services/app")
                    let failures = try #require(services["serverFailures"] as? [String: [String]])
                    #expect(Array(failures.values) == [["health check: status 503"]])
                    #expect(fleet.replicas[0].errorLog.contains("A backend is failing."))
                    #expect(!fleet.replicas[1].errorLog.contains("A backend is failing."))
                }
                sick[0].heal()
                try await #expect(Self.find(true, fleet.replicas))
                try await #expect(fleet.agreement(on: Self.sessions) == home)
                try #expect(fleet.records() == records)
            }
        }

        @Test("on all: with onUnavailable move its sessions move, for good")
        func move() async throws {
            try await Self.withSick { fleet, sick in
                let home = try await fleet.agreement(on: Self.sessions)
                sick[0].sicken()
                let moved = try await fleet.agreement(after: home, lost: "own0")
                #expect(Set(moved.values) == ["own1"])
                sick[0].heal()
                try await #expect(Self.find(true, fleet.replicas))
                try await #expect(fleet.agreement(on: Self.sessions) == moved)
            }
        }

        @Test("on all: with onUnavailable detour its sessions go elsewhere meanwhile, and home afterwards")
        func detour() async throws {
            try await Self.withSick("detour") { fleet, sick in
                let home = try await fleet.agreement(on: Self.sessions)
                let records = try fleet.records()
                sick[0].sicken()
                try await #expect(Self.find(false, fleet.replicas))
                try await #expect(Set(fleet.agreement(on: Self.sessions).values) == ["own1"])
                try #expect(fleet.records() == records)
                sick[0].heal()
                try await #expect(Self.find(true, fleet.replicas))
                try await #expect(fleet.agreement(on: Self.sessions) == home)
            }
        }

        @Test("on all: with onUnavailable reject its sessions are answered with 503 meanwhile")
        func reject() async throws {
            try await Self.withSick("reject") { fleet, sick in
                let home = try await fleet.agreement(on: Self.sessions)
                sick[0].sicken()
                try await #expect(Self.find(false, fleet.replicas))
                try await Threads.run {
                    let client = FleetClient(fleet)
                    for (session, backend) in home {
                        let answer = try client.exchange(HTTPRequest(fields: ["X-Session-ID": session]), at: 0)
                        #expect(answer.status == (backend == "own0" ? 503 : 200))
                    }
                }
                sick[0].heal()
                try await #expect(Self.find(true, fleet.replicas))
                try await #expect(fleet.agreement(on: Self.sessions) == home)
            }
        }

        @Test("of every backend: 503 within three seconds; of all but one: 200, and the other never answers")
        func every() async throws {
            let check = "healthCheck: { path: /health, interval: 1s }"
            try await Self.withSick(replicas: 1, balancer: check) { fleet, sick in
                try await Threads.run {
                    func ask() throws -> HTTPResponse {
                        try HTTPConnection(port: fleet.ports[0]).exchange(HTTPRequest(fields: ["Connection": "close"]))
                    }
                    for backend in sick { backend.sicken() }
                    try #expect(Waiting.until(within: 3) { try ask().status == 503 })
                    sick[1].heal()
                    try #expect(Waiting.until(within: 3) { try ask().status == 200 })
                    for _ in 0..<10 { try #expect(ask().servedBy() == "own1") }
                }
            }
        }
    }
}
