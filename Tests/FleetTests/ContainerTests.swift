import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// Functional, with containers of a real Engine.
    @Suite(
        "Labels of containers",
        .enabled(if: DockerTestEngine.obstacle == nil, "\(DockerTestEngine.obstacle ?? "")"))
    struct ContainerTests {
        private static func labels(_ more: [String: String]) -> DockerTestEngine.Options {
            var options = DockerTestEngine.Options()
            options.labels = more
            return options
        }

        private static let cookie = labels([
            "traefik.http.routers.my-router.rule": "PathPrefix(`/cookie`)",
            "traefik.http.services.my-service.loadbalancer.sticky.cookie.name": "my-cookie",
        ])

        private static let header = labels([
            "traefik.http.routers.my-router.rule": "PathPrefix(`/header`)",
            "traefik.http.services.my-service.loadbalancer.sticky.header": "X-Session-ID",
        ])

        @Test("traefik.http.services.my-service.loadbalancer.sticky.cookie.name=my-cookie")
        func stickyCookie() async throws {
            let ends = try await withContainers { fleet in
                _ = try fleet.engine.runWhoami("one", Self.cookie)
                _ = try fleet.engine.runWhoami("two", Self.cookie)
                #expect(
                    Waiting.until(within: 15) {
                        fleet.replicas.indices.allSatisfy { fleet.backends(of: "/cookie", at: $0) == ["one", "two"] }
                    })
                let first = try fleet.exchange("/cookie")
                let cookie = try #require(first.cookie)
                #expect(cookie.hasPrefix("my-cookie="))
                let home = try first.servedBy()
                for request in 0..<8 {
                    let answer = try fleet.exchange("/cookie", at: request % 2, fields: ["Cookie": cookie])
                    #expect(try answer.servedBy() == home)
                }
            }
            #expect(ends == [.exited(0), .exited(0)])
        }

        @Test("traefik.http.services.my-service.loadbalancer.sticky.header=X-Session-ID, and containers come and go")
        func stickyHeader() async throws {
            let ends = try await withContainers { fleet in
                let first = try fleet.engine.runWhoami("one", Self.header)
                #expect(fleet.all("/header") { $0["X-Backend"] == "one" })
                _ = try fleet.engine.runWhoami("two", Self.header)
                #expect(
                    Waiting.until(within: 15) {
                        fleet.replicas.indices.allSatisfy { fleet.backends(of: "/header", at: $0) == ["one", "two"] }
                    })
                let sessions = (0..<20).map { "session-\($0)" }
                func backend(_ session: String, _ replica: Int) throws -> String {
                    try fleet.exchange("/header", at: replica, fields: ["X-Session-ID": session]).servedBy()
                }
                let homes = try sessions.map { try backend($0, 0) }
                #expect(Set(homes) == ["one", "two"])
                let elsewhere = try sessions.map { try backend($0, 1) }
                #expect(elsewhere == homes)
                // It takes a while to stop: meanwhile it keeps its sessions. They move when it is gone, for good.
                try fleet.engine.stop(first, seconds: 1)
                #expect(
                    Waiting.until(within: 15) {
                        sessions.allSatisfy { (try? backend($0, 0)) == "two" && (try? backend($0, 1)) == "two" }
                    })
                try fleet.engine.start(first)
                #expect(
                    Waiting.until(within: 15) {
                        fleet.replicas.indices.allSatisfy { fleet.backends(of: "/header", at: $0) == ["one", "two"] }
                    })
                let after = try sessions.map { try backend($0, 0) }
                #expect(Set(after) == ["two"])
            }
            #expect(ends == [.exited(0), .exited(0)])
        }

        @Test("with the last container its router goes; bad labels take out one container alone, and are named")
        func comingAndGoing() async throws {
            let ends = try await withContainers { fleet in
                let only = try fleet.engine.runWhoami("only", Self.cookie)
                #expect(fleet.all("/cookie") { $0.status == 200 })
                try fleet.engine.stop(only, seconds: 1)
                #expect(fleet.all("/cookie") { $0.status == 404 })
                try fleet.engine.start(only)
                #expect(fleet.all("/cookie") { $0.status == 200 })

                // Without labels: Traefik's default rule.
                _ = try fleet.engine.runWhoami("plain-one")
                #expect(fleet.all("/", host: "plain-one") { $0["X-Backend"] == "plain-one" })

                _ = try fleet.engine.runWhoami(
                    "bad",
                    Self.labels([
                        "traefik.http.routers.bad.rule": "PathPrefix(`/bad`)",
                        "traefik.http.services.bad.loadbalancer.sticky.cookie.nam": "x",
                    ]))
                _ = try fleet.engine.runWhoami(
                    "other",
                    Self.labels([
                        "traefik.http.routers.my-router.rule": "PathPrefix(`/cookie`)",
                        "traefik.http.services.my-service.loadbalancer.sticky.cookie.name": "another-cookie",
                    ]))
                for replica in fleet.replicas {
                    #expect(
                        Waiting.until(within: 15) {
                            let said = (try? replica.admin("/api/overview"))?.text ?? ""
                            return said.contains("did you mean name?") && said.contains("another-cookie") == false
                                && said.contains("other") && said.contains("only")
                        }, "\((try? replica.admin("/api/overview"))?.text ?? "")\n\(replica.errorLog)")
                }
                #expect(try fleet.exchange("/bad").status == 404)
                #expect(fleet.all("/cookie") { $0["X-Backend"] == "only" })
            }
            #expect(ends == [.exited(0), .exited(0)])
        }

        @Test("an Engine that goes takes nothing with it, and is followed again when it is back")
        func engineGone() async throws {
            let ends = try await withContainers { fleet in
                _ = try fleet.engine.runWhoami("one", Self.cookie)
                #expect(fleet.all("/cookie") { $0.status == 200 })
                fleet.engine.kill()
                for replica in fleet.replicas {
                    #expect(
                        Waiting.until(within: 15) {
                            (try? replica.metric("limpet_provider_up{provider=\"docker\"}")) == 0
                        })
                }
                #expect(fleet.all("/cookie") { $0["X-Backend"] == "one" })
                try fleet.engine.start()
                let second = Self.labels(
                    Self.cookie.labels.merging(["traefik.http.routers.second.rule": "PathPrefix(`/second`)"]) { $1 })
                _ = try fleet.engine.runWhoami("second", second)
                #expect(
                    Waiting.until(within: 20) {
                        fleet.replicas.indices.allSatisfy { fleet.backends(of: "/cookie", at: $0).contains("second") }
                    })
            }
            #expect(ends == [.exited(0), .exited(0)])
        }
    }
}
