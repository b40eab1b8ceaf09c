import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("Backends that are OpenSSL's own server")
    struct TLSDemandingBackendTests {
        /// A service for each transport, all of one backend.
        private static func dynamic(_ services: [(name: String, backend: OpenSSLServer, keys: String)]) -> String {
            let routers = services.map { "\($0.name): { rule: \"Path(`/\($0.name)`)\", service: \($0.name) }" }
            let targets = services.map {
                "\($0.name): { loadBalancer: { serversTransport: \($0.name), servers: [{ url: \"\($0.backend.url)\" }] } }"
            }
            let transports = services.map { "\($0.name): { serverName: back.example, \($0.keys) }" }
            return """
                http:
                  routers:
                    \(routers.joined(separator: "\n    "))
                  services:
                    \(targets.joined(separator: "\n    "))
                  serversTransports:
                    \(transports.joined(separator: "\n    "))

                """
        }

        private static func ask(_ path: String, _ fleet: TLSFleet) throws -> HTTPResponse {
            let request = HTTPRequest("GET", path, fields: ["Connection": "close"])
            return try HTTPConnection(port: fleet.replicas[0].port).exchange(request)
        }

        @Test(
            "are shown the certificate of the transport, and serve nobody without one that they accept",
            arguments: ["tls1_2", "tls1_3"])
        func clientCertificate(_ version: String) async throws {
            try await Threads.run {
                let folder = TemporaryFile.path()
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let authority = try TestAuthority(in: folder)
                let stranger = try TestAuthority(in: "\(folder)/strangers", name: "Strangers").issue("s", "DNS:s")
                let own = try authority.issue("proxy-7", "DNS:proxy-7")
                let server = try OpenSSLServer(
                    "back", authority.issue("back", "DNS:back.example"), clients: authority.root.certificate,
                    version: version, in: folder)
                defer { server.kill() }
                let roots = "rootCAs: [\(authority.root.certificate)]"
                func certificate(_ pair: TestAuthority.Pair) -> String {
                    "\(roots), certificates: [{ certFile: \(pair.certificate), keyFile: \(pair.key) }]"
                }
                let dynamic = Self.dynamic([
                    ("own", server, certificate(own)), ("none", server, roots),
                    ("stranger", server, certificate(stranger)),
                ])
                try withTLSFleet(TLSFleet(dynamic, settings: "log: { level: debug }")) { fleet in
                    for _ in 0..<2 {
                        let served = try Self.ask("/own", fleet)
                        let subject = served.text.split(separator: "\n").first { $0.contains("Subject:") }
                        #expect(served.status == 200 && subject?.contains("proxy-7") == true, "\(subject ?? "none")")
                    }
                    // In TLS 1.3 it is said after the handshake.
                    let reason = version == "tls1_2" ? "tls_handshake_failed" : "connection_lost"
                    let refusal = "the server does not accept our certificate, or misses one"
                    let missing = "the server accepts nothing that we offer, or misses our certificate (alert 40)"
                    for (name, detail) in [("none", version == "tls1_2" ? missing : refusal), ("stranger", refusal)] {
                        #expect(try Self.ask("/\(name)", fleet).status >= 500)
                        let failures = try fleet.replicas[0].metric(
                            "limpet_backend_failures_total{service=\"\(name)\",backend=\"\(server.url)\","
                                + "reason=\"\(reason)\"}")
                        #expect((failures ?? 0) >= 1, "\(name)")
                        let lines = fleet.replicas[0].errorLog.split(separator: "\n").filter {
                            $0.contains("\"\(name)\"")
                        }
                        #expect(lines.contains { $0.contains(reason) && $0.contains(detail) }, "\(lines)")
                    }
                    try #expect(Self.ask("/own", fleet).status == 200)
                }
            }
        }

        @Test("are failing where a health check shows no certificate, and say why", arguments: ["tls1_2", "tls1_3"])
        func check(_ version: String) async throws {
            try await Threads.run {
                let folder = TemporaryFile.path()
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let authority = try TestAuthority(in: folder)
                let server = try OpenSSLServer(
                    "back", authority.issue("back", "DNS:back.example"), clients: authority.root.certificate,
                    version: version, in: folder)
                defer { server.kill() }
                let dynamic = """
                    http:
                      routers: { app: { rule: "Path(`/app`)", service: app } }
                      services:
                        app:
                          loadBalancer:
                            serversTransport: own
                            healthCheck: { path: /, interval: 100ms }
                            servers: [{ url: "\(server.url)" }]
                      serversTransports: { own: { serverName: back.example, rootCAs: [\(authority.root.certificate)] } }

                    """
                try withTLSFleet(TLSFleet(dynamic)) { fleet in
                    let reason = "health check: TLS handshake failed"
                    let isSaid = Waiting.until(within: 10) { fleet.replicas[0].errorLog.contains(reason) }
                    #expect(isSaid, "\(fleet.replicas[0].errorLog)")
                    try #expect(Self.ask("/app", fleet).status == 503)
                }
            }
        }

        @Test("get no request where their certificate does not have the URI of peerCertURI")
        func peerURI() async throws {
            try await Threads.run {
                let folder = TemporaryFile.path()
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let authority = try TestAuthority(in: folder)
                let names = "DNS:back.example,URI:spiffe://other/back"
                let with = try OpenSSLServer(
                    "with", authority.issue("with", "\(names),URI:spiffe://shop/back"), in: folder)
                let without = try OpenSSLServer("without", authority.issue("without", names), in: folder)
                defer {
                    with.kill()
                    without.kill()
                }
                let keys = "rootCAs: [\(authority.root.certificate)], peerCertURI: \"spiffe://shop/back\""
                let dynamic = Self.dynamic([("with", with, keys), ("without", without, keys)])
                try withTLSFleet(TLSFleet(dynamic, settings: "log: { level: debug }")) { fleet in
                    try #expect(Self.ask("/with", fleet).status == 200)
                    try #expect(Self.ask("/without", fleet).status == 503)
                    let refused = try fleet.replicas[0].metric(
                        "limpet_backend_failures_total{service=\"without\",backend=\"\(without.url)\","
                            + "reason=\"certificate_refused\"}")
                    #expect((refused ?? 0) >= 1)
                    #expect(
                        fleet.replicas[0].errorLog.contains("does not have the URI of peerCertURI"),
                        "\(fleet.replicas[0].errorLog)")
                }
            }
        }
    }
}
