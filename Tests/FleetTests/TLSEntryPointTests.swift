import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// An entry point whose options demand client certificates, and one host that a router takes out of them.
    @Suite("TLS options of an entry point")
    struct TLSEntryPointTests {
        private static let dynamic = """
            tls:
              stores: { default: { defaultCertificate: { certFile: "DIR/served.pem", keyFile: "DIR/served.key" } } }
              options:
                customers: { clientAuth: { clientAuthType: RequireAndVerifyClientCert, caFiles: [DIR/ca.pem] } }
                everybody: {}
            http:
              routers:
                any: { rule: "PathPrefix(`/`)", service: app }
                named: { rule: "Host(`named.shop.example`)", service: app }
                own: { rule: "Host(`own.shop.example`)", service: app, tls: {} }
                open: { rule: "Host(`open.shop.example`)", service: app, tls: { options: everybody } }
              services: { app: { loadBalancer: { servers: [{ url: "BACKEND" }] } } }

            """

        private static func withFleet(_ body: (TLSFleet, TestAuthority.Pair) throws -> Void) throws {
            let fleet = try TLSFleet(dynamic, entryPoint: ", http: { tls: { options: customers } }")
            try withTLSFleet(fleet) { fleet in
                try body(fleet, try fleet.authority.issue("customer", "DNS:customer"))
            }
        }

        /// A connection for a name, and what is sent on it.
        private static func connection(
            _ fleet: TLSFleet, _ name: String?, _ version: String?, showing pair: TestAuthority.Pair? = nil,
            _ requests: String...
        ) -> TLSClient.Connection {
            var connection = TLSClient.Connection(port: fleet.replicas[0].port, serverName: name, version: version)
            connection.request = requests.joined()
            (connection.certificate, connection.key) = (pair?.certificate, pair?.key)
            return connection
        }

        private static func request(_ host: String, _ version: String = "1.1", keeps: Bool = false) -> String {
            "GET / HTTP/\(version)\r\n" + (host.isEmpty ? "" : "Host: \(host)\r\n")
                + (keeps ? "" : "Connection: close\r\n") + "\r\n"
        }

        private static let names = [
            nil, "named.shop.example", "own.shop.example", "nobody.shop.example", "nobody.example",
            "NAMED.shop.example.",
        ]

        @Test(
            "count for each name, also for those of no rule, for none, and for routers without Host",
            arguments: ["TLSv1_2", "TLSv1_3"])
        func everyName(_ version: String) async throws {
            try await Threads.run {
                try Self.withFleet { fleet, customer in
                    for name in Self.names {
                        let request = Self.request(name ?? "127.0.0.1")
                        let refused = try TLSClient.run([Self.connection(fleet, name, version, request)])[0]
                        #expect(refused.status == nil && refused.error != nil, "\(name ?? "none"): \(refused)")
                        let served = try TLSClient.run([
                            Self.connection(fleet, name, version, showing: customer, request)
                        ])[0]
                        #expect(served.status == 200, "\(name ?? "none"): \(served)")
                    }
                    let count = Self.names.count
                    #expect(try Waiting.until(within: 5) { try fleet.failures("client_certificate") == count })
                }
            }
        }

        @Test(
            "are not got around by way of a host that a router takes out of them",
            arguments: ["TLSv1_2", "TLSv1_3"])
        func misdirected(_ version: String) async throws {
            try await Threads.run {
                try Self.withFleet { fleet, customer in
                    let open = "open.shop.example"
                    func ask(_ request: String..., showing pair: TestAuthority.Pair? = nil) throws -> TLSClient.Outcome
                    {
                        try TLSClient.run([
                            Self.connection(fleet, open, version, showing: pair, request.joined())
                        ])[0]
                    }
                    try #expect(ask(Self.request(open)).status == 200)
                    try #expect(ask(Self.request("OPEN.shop.example.:443")).status == 200)
                    let others = Self.names.compactMap(\.self) + ["127.0.0.1", "[::1]", "a.open.shop.example", "open"]
                    for host in others {
                        try #expect(ask(Self.request(host)).status == 421, "\(host)")
                        try #expect(ask(Self.request(host), showing: customer).status == 421, "\(host)")
                    }
                    try #expect(ask(Self.request("", "1.0")).status == 421)
                    let absolute =
                        "GET https://named.shop.example/ HTTP/1.1\r\nHost: \(open)\r\nConnection: close\r\n\r\n"
                    let status = try ask(absolute).status
                    #expect(status == 421 || status == 400, "\(status ?? 0)")
                    let second = try ask(Self.request(open, keeps: true), Self.request("named.shop.example"))
                    #expect(second.status == 200 && second.response?.contains("HTTP/1.1 421 ") == true, "\(second)")
                    let back = Self.connection(
                        fleet, "named.shop.example", version, showing: customer, Self.request(open))
                    try #expect(TLSClient.run([back])[0].status == 421)
                }
            }
        }

        @Test("resume no session that began without a certificate", arguments: ["TLSv1_2", "TLSv1_3"])
        func sessions(_ version: String) async throws {
            try await Threads.run {
                try Self.withFleet { fleet, _ in
                    let open = Self.connection(fleet, "open.shop.example", version, Self.request("open.shop.example"))
                    var connections = [open]
                    for name in Self.names {
                        var next = Self.connection(fleet, name, version, Self.request(name ?? "127.0.0.1"))
                        next.resumes = 0
                        connections.append(next)
                    }
                    let outcomes = try TLSClient.run(connections)
                    #expect(outcomes[0].status == 200, "\(outcomes[0])")
                    for outcome in outcomes.dropFirst() {
                        #expect(outcome.status == nil && outcome.error != nil, "\(outcome)")
                    }
                }
            }
        }

        @Test("are the ones that limpet explain names, and no reason for limpet check to warn")
        func commands() async throws {
            try await Threads.run {
                try Self.withFleet { fleet, _ in
                    let config = "\(fleet.directory)/r0.yml"
                    let check = try CommandOutcome(of: ["check", "--config", config])
                    #expect(check.end == .exited(0))
                    #expect(!check.output.contains("is not under"), "\(check.output)")
                    func explain(_ host: String, _ fields: String...) throws -> String {
                        let url = "https://\(host):\(fleet.replicas[0].port)/"
                        let arguments = ["explain", "--config", config] + fields.flatMap { ["-H", $0] }
                        return try CommandOutcome(of: arguments + ["GET", url]).output
                    }
                    for host in Self.names.compactMap(\.self) + ["127.0.0.1"] {
                        let said = try explain(host)
                        #expect(said.contains("with options customers (RequireAndVerifyClientCert)\n"), "\(said)")
                        try #expect(explain(host, "Host: open.shop.example").contains("421 from Limpet"))
                        try #expect(explain("open.shop.example", "Host: \(host)").contains("421 from Limpet"))
                    }
                    try #expect(explain("open.shop.example").contains("with options everybody\n"))
                }
            }
        }
    }
}
