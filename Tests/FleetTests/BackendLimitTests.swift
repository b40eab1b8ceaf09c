import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("A backend has as many requests as it may, and a full queue")
    struct BackendLimitTests {
        /// Answers `/held` when it is told to, and everything else at once.
        private static func backend(_ name: String, _ released: ScriptedBackend.Flag) throws -> ScriptedBackend {
            try ScriptedBackend { connection, _ in
                while true {
                    let head = try connection.receive(until: "\r\n\r\n")
                    if head.hasPrefix("GET /held "), !released.isSet(within: 20) { return }
                    try connection.send("HTTP/1.1 200 OK\r\nX-Backend: \(name)\r\nContent-Length: 0\r\n\r\n")
                }
            }
        }

        @Test(
            "further requests of its sessions are detoured, or refused with Retry-After; no session moves for it",
            arguments: ["move", "detour", "reject"])
        func full(_ onUnavailable: String) async throws {
            let released = ScriptedBackend.Flag()
            let backends = try ["own0", "own1"].map { try Self.backend($0, released) }
            defer { for backend in backends { backend.close() } }
            var options = Fleet.Options(replicas: 2, backends: 0)
            options.ownBackends = backends.map(\.port)
            options.sticky += ", onUnavailable: \(onUnavailable)"
            options.balancer = "maxRequests: 1, queue: { size: 1, timeout: 30s }"
            try await withFleet(options) { fleet in
                let sessions = (0..<8).map { "session-\($0)" }
                let home = try await fleet.agreement(on: sessions)
                let records = try fleet.records()
                try await Threads.run {
                    func get(_ target: String = "/") -> HTTPRequest {
                        HTTPRequest("GET", target, fields: ["X-Session-ID": sessions[0]])
                    }
                    func requests() throws -> [Int] {
                        let service = try fleet.replicas[0].json("/api/http/services/app")
                        let states = service["serverStates"] as? [String: [String: Any]] ?? [:]
                        let index = home[sessions[0]] == "own0" ? 0 : 1
                        let requests = states["http://127.0.0.1:\(backends[index].port)"]?["requests"] as? [String: Int]
                        return [requests?["underWay"] ?? -1, requests?["waiting"] ?? -1, requests?["refused"] ?? -1]
                    }
                    let (held, queued, further) = try (
                        HTTPConnection(port: fleet.ports[0]), HTTPConnection(port: fleet.ports[0]),
                        HTTPConnection(port: fleet.ports[0])
                    )
                    try held.send(get("/held"))
                    try #expect(Waiting.until(within: 5) { try requests() == [1, 0, 0] })
                    try queued.send(get())
                    try #expect(Waiting.until(within: 5) { try requests() == [1, 1, 0] })
                    let answer = try further.exchange(get())
                    if onUnavailable == "reject" {
                        #expect(answer.status == 503 && answer["Retry-After"] == "1" && answer["X-Backend"] == nil)
                    } else {
                        try #expect(answer.servedBy() != home[sessions[0]])
                    }
                    try #expect(requests() == [1, 1, 1])
                    // The limit is one replica's.
                    try #expect(FleetClient(fleet).backend(get(), at: 1) == home[sessions[0]])
                    released.set()
                    for connection in [held, queued] {
                        try #expect(connection.receive().servedBy() == home[sessions[0]])
                    }
                }
                try await #expect(fleet.agreement(on: sessions) == home)
                try #expect(fleet.records() == records)
            }
        }
    }
}
