import LimpetTestKit
import Testing

extension FleetTests {
    @Suite(
        "Reloading by containers",
        .enabled(if: DockerTestEngine.obstacle == nil, "\(DockerTestEngine.obstacle ?? "")"))
    struct ReloadContainerTests {
        private static var options: DockerTestEngine.Options {
            var options = DockerTestEngine.Options()
            options.labels = [
                "traefik.http.routers.shop.rule": "PathPrefix(`/shop`)",
                "traefik.http.services.shop.loadbalancer.sticky.header": "X-Session-ID",
            ]
            return options
        }

        /// A replica whose main file names the Engine and has one route of its own.
        private static func replica(_ engine: DockerTestEngine) throws -> LimpetProcess {
            try LimpetProcess("r0", in: engine.directory) { port, adminPort in
                """
                entryPoints: { web: { address: "127.0.0.1:\(port)" }, admin: { address: "127.0.0.1:\(adminPort)" } }
                providers: { providersThrottleDuration: 0s, docker: { endpoint: "\(engine.endpoint)" } }
                http:
                  routers: { own: { rule: "PathPrefix(`/own`)", service: own } }
                  services: { own: { loadBalancer: { servers: [] } } }
                """
            }
        }

        private static func backend(_ replica: LimpetProcess, of session: String) throws -> String? {
            let fields = ["X-Session-ID": session, "Connection": "close"]
            let answer = try HTTPConnection(port: replica.port).exchange(HTTPRequest("GET", "/shop", fields: fields))
            return answer.status == 200 ? answer["X-Backend"] : nil
        }

        @Test(
            "containers that run have their routes as soon as the replica is ready; those that come and go change routes"
        )
        func containers() async throws {
            try await Threads.run {
                let engine = try DockerTestEngine()
                defer { engine.end() }
                try engine.runWhoami("web-1", Self.options)
                let replica = try Self.replica(engine)
                #expect(try replica.json("/api/http/routers/shop@docker")["status"] as? String == "enabled")
                let first = try Waiting.poll(within: 10) { try Self.backend(replica, of: "s") }
                #expect(first == "web-1")
                #expect(try replica.status("/own") == 503)
                let second = try engine.runWhoami("web-2", Self.options)
                var newcomers = 0
                let isShared = try Waiting.until(within: 20) {
                    newcomers += 1
                    return try Self.backend(replica, of: "new-\(newcomers)") == "web-2"
                }
                #expect(isShared)
                #expect(try Self.backend(replica, of: "s") == "web-1")
                try engine.stop(second)
                let isGone = try Waiting.until(within: 20) {
                    try replica.json("/api/http/services/shop@docker")["serverStatus"].map { "\($0)" }?
                        .matches(of: /http/).count == 1
                }
                #expect(isGone)
                #expect(try Self.backend(replica, of: "s") == "web-1")
                #expect(try replica.metric("limpet_provider_up{provider=\"docker\"}") == 1)
                #expect(replica.stop() == .exited(0))
            }
        }
    }
}
