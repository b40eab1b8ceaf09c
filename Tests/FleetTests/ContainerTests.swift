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
                            return said.contains("did you mean name?") && !said.contains("another-cookie")
                                && said.contains("conflicts with container only's definition of service my-service")
                        }, "\((try? replica.admin("/api/overview"))?.text ?? "")\n\(replica.errorLog)")
                }
                #expect(try fleet.exchange("/bad").status == 404)
                for replica in fleet.replicas.indices {
                    #expect(fleet.backends(of: "/cookie", at: replica) == ["only"])
                }
            }
            #expect(ends == [.exited(0), .exited(0)])
        }

        @Test("a container that is told to stop keeps its sessions and gets no new ones, until it is gone")
        func stopping() async throws {
            let ends = try await withContainers { fleet in
                // The first process of a container has no default for a signal: it serves on until it is killed.
                var stubborn = Self.header
                stubborn.stopSignal = "SIGUSR1"
                let first = try fleet.engine.runWhoami("one", stubborn)
                _ = try fleet.engine.runWhoami("two", Self.header)
                #expect(
                    Waiting.until(within: 15) {
                        fleet.replicas.indices.allSatisfy { fleet.backends(of: "/header", at: $0) == ["one", "two"] }
                    })
                func backend(_ session: String, _ replica: Int) throws -> String {
                    try fleet.exchange("/header", at: replica, fields: ["X-Session-ID": session]).servedBy()
                }
                let sessions = (0..<20).map { "session-\($0)" }
                let homes = try sessions.map { try backend($0, 0) }
                #expect(Set(homes) == ["one", "two"])
                try fleet.engine.kill(first, signal: "USR1")
                #expect(
                    Waiting.until(within: 15) {
                        fleet.replicas.indices.allSatisfy { fleet.backends(of: "/header", at: $0) == ["two"] }
                    })
                for replica in fleet.replicas.indices {
                    #expect(try sessions.map { try backend($0, replica) } == homes)
                    let new = try (0..<10).map { try backend("new-\(replica)-\($0)", replica) }
                    #expect(Set(new) == ["two"])
                }
                try fleet.engine.kill(first, signal: "KILL")
                #expect(
                    Waiting.until(within: 15) {
                        sessions.allSatisfy { (try? backend($0, 0)) == "two" && (try? backend($0, 1)) == "two" }
                    })
            }
            #expect(ends == [.exited(0), .exited(0)])
        }

        @Test("what is not exposed has no router; the default rule, another port and one that does not run are heeded")
        func choices() async throws {
            let docker = ", exposedByDefault: false, defaultRule: \"Host(`{{ .Name }}.example`)\""
            let ends = try await withContainers(docker: docker) { fleet in
                let shown = ["traefik.enable": "true"]
                _ = try fleet.engine.runWhoami("hidden")
                _ = try fleet.engine.runWhoami("shown", Self.labels(shown))
                var exposing = Self.labels(
                    shown.merging(["traefik.http.services.s.loadbalancer.server.port": "8080"]) { $1 })
                exposing.exposedPorts = ["80/tcp"]
                _ = try fleet.engine.run(
                    "ported", [try LimpetProgram.path(), "whoami", "--listen", ":8080", "--name", "ported"], exposing)
                let waiting = try fleet.engine.runWhoami(
                    "waiting", Self.labels(shown.merging(["traefik.docker.allownonrunning": "true"]) { $1 }))
                #expect(fleet.all("/", host: "shown.example") { $0["X-Backend"] == "shown" })
                #expect(fleet.all("/", host: "ported.example") { $0["X-Backend"] == "ported" })
                #expect(fleet.all("/", host: "waiting.example") { $0["X-Backend"] == "waiting" })
                #expect(fleet.all("/", host: "hidden.example") { $0.status == 404 })
                try fleet.engine.kill(waiting, signal: "KILL")
                #expect(fleet.all("/", host: "waiting.example") { $0.status == 503 })
                try fleet.engine.start(waiting)
                #expect(fleet.all("/", host: "waiting.example") { $0["X-Backend"] == "waiting" })

                try Self.check(fleet)
            }
            #expect(ends == [.exited(0), .exited(0)])
        }

        /// `check` and `explain` read the labels that the replicas go by.
        private static func check(_ fleet: ContainerFleet) throws {
            let config = "\(fleet.engine.directory)/r0.yml"
            let right = try CommandOutcome(of: ["check", "--config", config, "--docker"])
            #expect(right.end == .exited(0) && right.errors.isEmpty)
            #expect(right.output.hasSuffix("ok: 1 entry point, 3 routers, 3 services, 3 backends\n"), "\(right.output)")
            let explained = try CommandOutcome(
                of: ["explain", "--config", config, "--docker", "GET", "http://ported.example/"])
            #expect(explained.end == .exited(0))
            #expect(explained.output.contains("\nrouter     ported@docker, "), "\(explained.output)")
            #expect(try #/\nanswer     any of .*|\nanswer     from .*:8080/#.firstMatch(in: explained.output) != nil)
            let bad = ["traefik.enable": "true", "traefik.http.routers.bad.rule": "Path(`/bad`"]
            _ = try fleet.engine.runWhoami("bad", Self.labels(bad))
            let wrong = try CommandOutcome(of: ["check", "--config", config, "--docker"])
            #expect(wrong.end == .exited(1))
            #expect(wrong.output.contains("container bad: traefik.http.routers.bad.rule: "), "\(wrong.output)")
            fleet.engine.kill()
            let away = try CommandOutcome(of: ["check", "--config", config, "--docker"])
            #expect(away.end == .exited(1) && (away.output + away.errors).contains(fleet.engine.endpoint))
            try fleet.engine.start()
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

        @Test(
            "a container that is unhealthy for a while has its sessions still: they are detoured or rejected, or moved",
            arguments: ["move", "detour", "reject"])
        func flapping(_ onUnavailable: String) async throws {
            let ends = try await withContainers { fleet in
                var options = Self.header
                options.labels["traefik.http.services.my-service.loadbalancer.sticky.onunavailable"] = onUnavailable
                var checked = options
                checked.healthCheck = ["/usr/bin/test", "!", "-e", "/tmp/ill"]
                let ill = try fleet.engine.runWhoami("one", checked)
                _ = try fleet.engine.runWhoami("two", options)
                #expect(
                    Waiting.until(within: 40) {
                        fleet.replicas.indices.allSatisfy { fleet.backends(of: "/header", at: $0) == ["one", "two"] }
                    })
                let sessions = (0..<20).map { "session-\($0)" }
                func answers(_ replica: Int) throws -> [String] {
                    try sessions.map {
                        let answer = try fleet.exchange("/header", at: replica, fields: ["X-Session-ID": $0])
                        return answer["X-Backend"] ?? "\(answer.status)"
                    }
                }
                let homes = try answers(0)
                #expect(Set(homes) == ["one", "two"])
                try fleet.engine.execute(["/usr/bin/touch", "/tmp/ill"], in: ill)
                let instead = onUnavailable == "reject" ? "503" : "two"
                let meanwhile = homes.map { $0 == "one" ? instead : $0 }
                for replica in fleet.replicas.indices {
                    #expect(Waiting.until(within: 15) { (try? answers(replica)) == meanwhile })
                }
                // Until the fleet agrees, with move as well, sessions are only detoured.
                usleep(2_000_000)
                _ = try answers(0)
                try fleet.engine.execute(["/usr/bin/rm", "/tmp/ill"], in: ill)
                #expect(
                    Waiting.until(within: 15) {
                        fleet.replicas.indices.allSatisfy { fleet.backends(of: "/header", at: $0) == ["one", "two"] }
                    })
                let afterwards = onUnavailable == "move" ? meanwhile : homes
                for replica in fleet.replicas.indices { #expect(try answers(replica) == afterwards) }
            }
            #expect(ends == [.exited(0), .exited(0)])
        }
    }
}
