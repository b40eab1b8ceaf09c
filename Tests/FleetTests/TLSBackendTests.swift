import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("Backends over TLS")
    struct TLSBackendTests {
        /// Certificates for a backend that is asked for as `back.example`.
        private struct Certificates {
            let good: TestAuthority.Pair
            let wrong: [String: TestAuthority.Pair]

            init(_ fleet: String) throws {
                let authority = try TestAuthority(in: "\(fleet)/backends", name: "Backends")
                good = try authority.issue("good", "DNS:back.example")
                let own = try TestAuthority(in: "\(fleet)/self", name: "Self")
                wrong = [
                    "expired": try authority.issue("expired", "DNS:back.example", isExpired: true),
                    "renamed": try authority.issue("renamed", "DNS:other.example,IP:127.0.0.1"),
                    "self": own.root,
                ]
            }
        }

        /// What the log says of each.
        private static let details = [
            "expired": "has expired", "renamed": "is for another name", "self": "is of an unknown authority",
        ]

        /// Services of one backend each, and one of all that verifies nothing.
        private static func dynamic(_ backends: [TLSBackend]) -> String {
            let routers = backends.map { "\($0.name): { rule: \"Path(`/\($0.name)`)\", service: \($0.name) }" }
            let services = backends.map {
                """
                \($0.name): { loadBalancer: { serversTransport: own, servers: [{ url: "https://127.0.0.1:\($0.port)", \
                name: \($0.name) }] } }
                """
            }
            let all = backends.map { "{ url: \"https://127.0.0.1:\($0.port)\" }" }
            return """
                http:
                  routers:
                    any: { rule: "Path(`/any`)", service: any }
                    \(routers.joined(separator: "\n    "))
                  services:
                    any: { loadBalancer: { serversTransport: blind, servers: [\(all.joined(separator: ", "))] } }
                    \(services.joined(separator: "\n    "))
                  serversTransports:
                    own: { rootCAs: ["DIR/backends/ca.pem"], serverName: back.example }
                    blind: { insecureSkipVerify: true }

                """
        }

        @Test("whose certificate is not accepted get no request; log, access log and metrics say why")
        func refused() async throws {
            try await Threads.run {
                let folder = TemporaryFile.path()
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let certificates = try Certificates(folder)
                let backends =
                    try certificates.wrong.map { try TLSBackend($0.key, $0.value, in: folder) }
                    + [TLSBackend("good", certificates.good, in: folder)]
                defer { backends.forEach { $0.kill() } }
                let dynamic = Self.dynamic(backends).replacingOccurrences(of: "DIR", with: folder)
                try withTLSFleet(TLSFleet(dynamic, settings: "log: { level: debug }")) { fleet in
                    func ask(_ path: String) throws -> HTTPResponse {
                        let request = HTTPRequest("GET", path, fields: ["Connection": "close"])
                        return try HTTPConnection(port: fleet.replicas[0].port).exchange(request)
                    }
                    try #expect(ask("/good").servedBy() == "good")
                    let all = Set(try (0..<backends.count * 2).map { _ in try ask("/any").servedBy() })
                    #expect(all == Set(backends.map(\.name)))
                    for (name, detail) in Self.details {
                        try #expect(ask("/\(name)").status == 503, "\(name)")
                        let failures = try fleet.replicas[0].metric(
                            "limpet_backend_failures_total{service=\"\(name)\",backend=\"\(name)\",reason=\"certificate_refused\"}"
                        )
                        #expect((failures ?? 0) >= 1, "\(name)")
                        let line = fleet.replicas[0].errorLog.split(separator: "\n").first {
                            $0.contains("\"backend\":\"\(name)\"") && $0.contains("certificate_refused")
                        }
                        #expect(line?.contains(detail) == true, "\(line ?? "nothing"): \(fleet.replicas[0].errorLog)")
                        #expect(
                            Waiting.until(within: 5) {
                                let lines = (try? TextFile.read("\(fleet.directory)/r0.access")) ?? ""
                                return lines.split(separator: "\n").contains {
                                    $0.contains("/\(name)\"") && $0.contains("certificate_refused")
                                        && $0.contains(detail)
                                }
                            }, "\((try? TextFile.read("\(fleet.directory)/r0.access")) ?? "")")
                    }
                }
            }
        }

        @Test(
            "whose certificate expires are down: sessions move, are detoured or rejected, as onUnavailable says",
            arguments: ["move", "detour", "reject"])
        func unavailable(_ manner: String) async throws {
            try await Threads.run {
                let folder = TemporaryFile.path()
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let certificates = try Certificates(folder)
                let other = try TLSBackend("b0", certificates.good, in: folder)
                var backend = try TLSBackend("b1", certificates.good, in: folder)
                defer {
                    other.kill()
                    backend.kill()
                }
                let servers = [other, backend].map { "{ url: \"https://127.0.0.1:\($0.port)\", name: \($0.name) }" }
                let dynamic = """
                    http:
                      routers: { app: { rule: "PathPrefix(`/`)", service: app } }
                      services:
                        app:
                          loadBalancer:
                            serversTransport: own
                            sticky: { header: X-Session-ID, onUnavailable: \(manner) }
                            servers: [\(servers.joined(separator: ", "))]
                      serversTransports: { own: { rootCAs: ["\(folder)/backends/ca.pem"], serverName: back.example } }

                    """
                try withTLSFleet(TLSFleet(dynamic)) { fleet in
                    let replica = fleet.replicas[0]
                    func answers() throws -> [String] {
                        try (0..<20).map { number in
                            let fields = ["X-Session-ID": "session-\(number)", "Connection": "close"]
                            let answer = try HTTPConnection(port: replica.port).exchange(HTTPRequest(fields: fields))
                            return answer["X-Backend"] ?? "\(answer.status)"
                        }
                    }
                    func awaitUp(_ value: Double) throws {
                        let metric = "limpet_backend_up{service=\"app\",backend=\"b1\"}"
                        let isSo = try Waiting.until(within: 20) {
                            _ = try answers()
                            return try replica.metric(metric) == value
                        }
                        try #require(isSo, "\(replica.errorLog)")
                    }
                    let homes = try answers()
                    #expect(Set(homes) == ["b0", "b1"])
                    backend = try backend.startAgain(try #require(certificates.wrong["expired"]))
                    try awaitUp(0)
                    let meanwhile = homes.map { $0 == "b1" ? (manner == "reject" ? "503" : "b0") : $0 }
                    #expect(Waiting.until(within: 10) { (try? answers()) == meanwhile }, "\((try? answers()) ?? [])")
                    #expect(try answers() == meanwhile)
                    #expect(replica.errorLog.contains("certificate_refused"), "\(replica.errorLog)")
                    backend = try backend.startAgain(certificates.good)
                    try awaitUp(1)
                    let afterwards = manner == "move" ? meanwhile : homes
                    #expect(Waiting.until(within: 10) { (try? answers()) == afterwards }, "\((try? answers()) ?? [])")
                }
            }
        }
    }
}
