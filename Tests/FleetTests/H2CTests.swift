import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    @Suite("Backends over HTTP/2 without TLS")
    struct H2CTests {
        /// A backend that says its name, and to gRPC whether it serves.
        private struct Named: Sendable {
            let backend: HTTP2Backend
            private let serves: Serves

            final class Serves: Sendable {
                let value = Mutex(true)
            }

            init(_ name: String) throws {
                let serves = Serves()
                self.serves = serves
                backend = try HTTP2Backend { call in
                    guard call.path.hasPrefix("/grpc.health.v1.Health/") else {
                        return call.ok(name, "x-backend: \(name)\r\n")
                    }
                    let status: UInt8 = serves.value.withLock { $0 } ? 1 : 2
                    call.respond(
                        "HTTP/1.1 200 \r\ncontent-type: application/grpc\r\n\r\n", body: [0, 0, 0, 0, 2, 8, status],
                        trailers: "grpc-status: 0\r\n")
                }
            }

            func stopServing() { serves.value.withLock { $0 = false } }
        }

        private static func name(_ session: String, at port: Int, overHTTP2: Bool) throws -> String {
            guard overHTTP2 else {
                let request = HTTPRequest(fields: ["X-Session-ID": session, "Connection": "close"])
                return try HTTPConnection(port: port).exchange(request)["X-Backend"] ?? ""
            }
            let client = try HTTP2Client(port: port)
            guard let stream = try client.send("GET", "/", "X-Session-ID: \(session)\r\n") else { return "" }
            return try client.response(to: stream).values(of: "x-backend").first ?? ""
        }

        @Test(
            "keep their sessions, whatever the replica and the client's protocol, until gRPC says that one does not serve"
        )
        func affinity() async throws {
            let backends = try (0..<3).map { try Named("own\($0)") }
            let options = Fleet.Options(
                backends: 0, balancer: "healthCheck: { mode: grpc, interval: 200ms }",
                ownBackends: backends.map(\.backend.port), ownScheme: "h2c")
            try await withFleet(options) { fleet in
                try await Threads.run {
                    let ports = fleet.replicas.map(\.port)
                    func names() throws -> [[String]] {
                        try (0..<12).map { session in
                            try ports.flatMap { port in
                                try [false, true].map { try Self.name("s\(session)", at: port, overHTTP2: $0) }
                            }
                        }
                    }
                    func homes() throws -> [String] {
                        try names().map { names in
                            #expect(Set(names).count == 1, "\(names)")
                            return names.first ?? ""
                        }
                    }
                    let before = try homes()
                    #expect(Set(before) == ["own0", "own1", "own2"])
                    try #expect(homes() == before)
                    // Of each replica two event loops have one connection to each, and two services check each.
                    for one in backends { #expect(one.backend.connectionCount <= ports.count * 4) }
                    backends[0].stopServing()
                    #expect(Waiting.until(within: 10) { (try? names().joined().contains("own0")) == false })
                    let after = try homes()
                    for (old, new) in zip(before, after) where old != "own0" { #expect(new == old) }
                }
            }
        }
    }
}
