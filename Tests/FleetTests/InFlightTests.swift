import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("Requests under way")
    struct InFlightTests {
        /// What the replica says of all, and of each backend; and what each backend says of itself.
        private struct Counts: Equatable {
            var all: Double?
            var atBackends: [String: Double?] = [:]
            var byBackends: [String: Double?] = [:]

            init(_ fleet: Fleet) throws {
                all = try fleet.replicas[0].metric("limpet_requests_in_flight")
                for backend in fleet.backends {
                    let metric = "limpet_backend_requests_in_flight{service=\"app\",backend=\"\(backend.name)\"}"
                    atBackends[backend.name] = try fleet.replicas[0].metric(metric)
                    byBackends[backend.name] = try Double(backend.requestsInFlight())
                }
            }

            /// Of so many requests, all at one backend.
            init(_ count: Double, at busy: String) {
                all = count
                atBackends = ["b0": 0, "b1": 0]
                atBackends[busy] = count
                byBackends = atBackends
            }
        }

        @Test("are counted by the replica, on all its event loops, and by the backend they are at, until they end")
        func counted() async throws {
            try await withFleet(.init(replicas: 1, backends: 2, store: nil)) { fleet in
                try await Threads.run {
                    let home = try FleetClient(fleet).backend(of: "s", at: 0)
                    let clients = try (0..<8).map { _ in try HTTPConnection(port: fleet.ports[0]) }
                    for client in clients {
                        try client.send(HTTPRequest("GET", "/slow?ms=60000", fields: ["X-Session-ID": "s"]))
                    }
                    #expect(try Waiting.until(within: 10) { try Counts(fleet) == Counts(8, at: home) })
                    for client in clients.prefix(5) { client.socket.reset() }
                    #expect(try Waiting.until(within: 10) { try Counts(fleet) == Counts(3, at: home) })
                    for client in clients { client.socket.reset() }
                    #expect(try Waiting.until(within: 10) { try Counts(fleet) == Counts(0, at: home) })
                }
            }
        }
    }
}
