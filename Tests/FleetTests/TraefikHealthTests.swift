import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// What Traefik's users rely on, shown on a running replica.
    @Suite("Health decides as Traefik's users know it")
    struct TraefikHealthTests {
        private static func with(
            backends: Int = 0, _ file: String, entryPoint: String? = nil,
            _ body: @escaping @Sendable (RoutedReplica) throws -> Void
        ) async throws {
            let end = try await Threads.run {
                let routed = try RoutedReplica(
                    backends: backends, file, entryPoint: entryPoint,
                    settings: "fleet: { secret: \"\(Fleet.secret)\" }")
                do { try body(routed) } catch {
                    _ = routed.end()
                    throw error
                }
                return routed.end()
            }
            #expect(end == .exited(0))
        }

        private static func seconds(_ duration: Duration) -> Double {
            duration / .seconds(1)
        }

        /// One service for all, with these settings.
        private static func app(_ balancer: String) -> String {
            """
            http:
              routers: { all: { rule: "PathPrefix(`/`)", service: app } }
              services: { app: { loadBalancer: { \(balancer) } } }

            """
        }

        // MARK: Shares

        /// The backends of clients with addresses of their own.
        private static func backendsOfClients(_ routed: RoutedReplica) throws -> [String] {
            try (UInt8(2)...251).map { host in
                let client = try HTTPConnection(port: routed.replica.port, from: host)
                return try client.exchange(HTTPRequest(fields: ["Connection": "close"])).servedBy()
            }
        }

        @Test(
            "hrw shares 250 clients by weight, within a tenth; a server that was down has its own back, and no other",
            arguments: [(4, 0.8), (1, 0.5)])
        func shares(weight: Int, share: Double) async throws {
            let file = Self.app(
                "strategy: hrw, servers: [ { url: B0, name: b0, weight: \(weight) }, { url: B1, name: b1 } ]")
            try await Self.with(backends: 2, file) { routed in
                let before = try Self.backendsOfClients(routed)
                #expect(abs(Double(before.count { $0 == "b0" }) / 250 - share) < 0.1)
                routed.backends[0].process.kill()
                try #expect(Set(Self.backendsOfClients(routed)) == ["b1"])
                let again = try routed.backends[0].startAgain()
                defer { again.process.kill() }
                try #expect(routed.finds(true, "b0"))
                try #expect(Self.backendsOfClients(routed) == before)
            }
        }

        // MARK: Checks

        /// A service for each of these checks, all at the same backend.
        private static func services(_ checks: [String: String], _ backend: CheckedBackend) -> String {
            "http:\n  services:\n"
                + checks.map { name, check in
                    """
                        \(name):
                          loadBalancer:
                            healthCheck: { interval: 1s, \(check) }
                            servers: [ { url: "\(backend.url)", name: own } ]

                    """
                }.joined()
        }

        @Test("200, 204, 308 and a status that is asked for are healthy, all others are not")
        func statuses() async throws {
            let backend = try CheckedBackend("own")
            defer { backend.close() }
            let (good, bad) = (
                [
                    "ok": "path: /health/200", "empty": "path: /health/204", "moved": "path: /health/308",
                    "teapot": "path: /health/418, status: 418", "followed": "path: /health/to/200, status: 200",
                    "unfollowed": "path: /health/to/500, followRedirects: false",
                ],
                [
                    "error": "path: /health/500", "away": "path: /health/503", "missing": "path: /health/404",
                    "other": "path: /health/200, status: 204", "misled": "path: /health/to/500",
                ]
            )
            try await Self.with(Self.services(good.merging(bad) { $1 }, backend)) { routed in
                func outcome(_ name: String, _ outcome: String) throws -> Double {
                    try routed.replica.metric(
                        "limpet_health_checks_total{service=\"\(name)\",backend=\"own\",outcome=\"\(outcome)\"}") ?? 0
                }
                for name in bad.keys { try #expect(routed.finds(false, "own", of: name), "\(name)") }
                for name in good.keys {
                    try #expect(Waiting.until(within: 5) { try outcome(name, "good") > 0 }, "\(name)")
                    try #expect(routed.finds(true, "own", of: name), "\(name)")
                    try #expect(outcome(name, "status") == 0, "\(name)")
                }
            }
        }

        @Test("a check has the fields, the host, the port and the method that are configured")
        func overrides() async throws {
            let (backend, checked) = (try CheckedBackend("own"), try CheckedBackend("other"))
            defer { for backend in [backend, checked] { backend.close() } }
            let check = """
                path: /health, port: \(checked.port), hostname: health.example, method: HEAD, scheme: http, \
                headers: { X-Check: "yes", Authorization: Bearer }
                """
            try await Self.with(Self.services(["app": check], backend)) { routed in
                #expect(Waiting.until(within: 5) { !checked.checks.isEmpty })
                let lines = (checked.checks.first?.head ?? "").components(separatedBy: "\r\n")
                #expect(lines.first == "HEAD /health HTTP/1.1")
                for line in ["Host: health.example", "X-Check: yes", "Authorization: Bearer"] {
                    #expect(lines.contains(line), "\(line)")
                }
                #expect(backend.checks.isEmpty)
                checked.setCheckStatus(500)
                try #expect(routed.finds(false, "own"))
                let api = try routed.replica.admin("/api/http/services/app").text
                #expect(api.contains("status 500") && api.contains("X-Check") && !api.contains("Bearer"))
            }
        }

        @Test("a server that fails is checked at an interval of its own")
        func intervals() async throws {
            let backend = try CheckedBackend("own")
            defer { backend.close() }
            let check = "path: /health, unhealthyInterval: 200ms"
            try await Self.with(Self.services(["app": check], backend)) { routed in
                // A check that a busy machine holds up comes late, and the next one after less time.
                func gap() -> Double {
                    let first = backend.checks.count
                    #expect(Waiting.until(within: 15) { backend.checks.count >= first + 6 })
                    let times = backend.checks.dropFirst(first).prefix(6).map(\.time)
                    return zip(times.dropFirst(), times).map { Self.seconds($0 - $1) }.sorted()[2]
                }
                let healthy = gap()
                backend.setCheckStatus(503)
                try #expect(routed.finds(false, "own"))
                let failing = gap()
                backend.setCheckStatus(200)
                try #expect(routed.finds(true, "own"))
                // An eighth sooner at most.
                #expect([healthy, gap()].allSatisfy { $0 > 0.8 })
                #expect((0.15...0.6).contains(failing), "\(failing)")
            }
        }

        @Test("with a passive check the failing request has its own answer, the next is 503, and after the window 200")
        func passive() async throws {
            let backend = try CheckedBackend("own")
            defer { backend.close() }
            let file = Self.app(
                """
                passiveHealthCheck: { failureWindow: 2s, maxFailedAttempts: 1, statuses: [500-599] }, \
                servers: [ { url: "\(backend.url)", name: own } ]
                """)
            try await Self.with(file) { routed in
                try #expect(routed.exchange().status == 200)
                backend.setStatus(500)
                let began = ContinuousClock.now
                let first = try routed.exchange()
                #expect(first.status == 500 && first["X-Backend"] == "own")
                try #expect(routed.finds(false, "own"))
                backend.setStatus(200)
                let second = try routed.exchange()
                #expect(second.status == 503 && second["X-Backend"] == nil)
                try #expect(Waiting.until(within: 10) { try routed.exchange().status == 200 })
                #expect((ContinuousClock.now - began) / .seconds(1) > 1.9)
            }
        }

        @Test("a service of two routers and two entry points has one health")
        func shared() async throws {
            let backend = try CheckedBackend("own")
            defer { backend.close() }
            let file = """
                http:
                  routers:
                    one: { rule: "PathPrefix(`/`)", entryPoints: [web], service: app }
                    two: { rule: "PathPrefix(`/`)", entryPoints: [side], service: app }
                  services:
                    app:
                      loadBalancer:
                        healthCheck: { path: "/health", interval: 500ms }
                        servers: [ { url: "\(backend.url)", name: own } ]
                """
            try await Self.with(file, entryPoint: "side") { routed in
                func statuses() throws -> [Int] {
                    try [routed.replica.port, routed.otherPort].map { port in
                        try HTTPConnection(port: port).exchange(HTTPRequest(fields: ["Connection": "close"])).status
                    }
                }
                try #expect(statuses() == [200, 200])
                #expect(Waiting.until(within: 5) { backend.checks.count >= 4 })
                let gap = (backend.checks[3].time - backend.checks[0].time) / .seconds(1)
                #expect(gap > 1.2, "one check for both, not one for each")
                backend.setCheckStatus(500)
                try #expect(Waiting.until(within: 5) { try statuses() == [503, 503] })
                backend.setCheckStatus(200)
                try #expect(Waiting.until(within: 5) { try statuses() == [200, 200] })
            }
        }

        // MARK: Reloads

        @Test("a check that a reload adds takes effect within five seconds, and what it found outlasts the next reload")
        func reload() async throws {
            let sick = try CheckedBackend("sick")
            defer { sick.close() }
            sick.setCheckStatus(500)
            let servers = "servers: [ { url: \"\(sick.url)\", name: sick }, { url: B0, name: b0 } ]"
            try await Self.with(backends: 1, Self.app(servers)) { routed in
                try #expect(Set(routed.backends(of: 12)) == ["sick", "b0"])
                func reload(_ file: String) throws {
                    let before = try routed.replica.reloads()
                    try routed.say(file)
                    try #expect(Waiting.until(within: 5) { try routed.replica.reloads() > before })
                }
                // `whoami` answers every path with 200.
                let checked = Self.app("healthCheck: { path: /health, interval: 60s }, \(servers)")
                try reload(checked)
                try #expect(routed.finds(false, "sick"))
                try #expect(Set(routed.backends(of: 12)) == ["b0"])
                let count = sick.checks.count
                for number in 0..<3 {
                    try reload(checked.replacing("all:", with: "all\(number):"))
                    try #expect(Set(routed.backends(of: 12)) == ["b0"])
                }
                #expect(sick.checks.count == count, "the checks go on, and do not begin anew")
                // Without the check nothing would find out that it is well again.
                try reload(Self.app(servers))
                try #expect(Set(routed.backends(of: 12)) == ["sick", "b0"])
            }
        }

        @Test("a check that a SIGHUP adds takes effect within five seconds")
        func hangup() async throws {
            let sick = try CheckedBackend("sick")
            defer { sick.close() }
            sick.setCheckStatus(500)
            var options = Fleet.Options(replicas: 1, backends: 1, store: nil)
            options.ownBackends = [sick.port]
            try await withFleet(options) { fleet in
                try await Threads.run {
                    fleet.change { $0.balancer = "healthCheck: { path: /health, interval: 60s }" }
                    let replica = fleet.replicas[0]
                    try TextFile.write(
                        fleet.configuration(of: 0, port: replica.port, adminPort: replica.adminPort),
                        to: "\(fleet.directory)/r0.yml")
                    replica.process.signal(SIGHUP)
                    let metric = "limpet_backend_up{service=\"app\",backend=\"own0\"}"
                    try #expect(Waiting.until(within: 5) { try replica.metric(metric) == 0 })
                }
            }
        }
    }
}
