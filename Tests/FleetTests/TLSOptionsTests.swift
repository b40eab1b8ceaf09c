import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// One entry point, and two hosts with different demands on their clients.
    @Suite("Hosts with TLS options of their own")
    struct TLSOptionsTests {
        private static let dynamic = """
            tls:
              certificates: [{ certFile: "DIR/served.pem", keyFile: "DIR/served.key" }]
              options:
                customers: { clientAuth: { clientAuthType: RequireAndVerifyClientCert, caFiles: [DIR/ca.pem] } }
            http:
              routers:
                open: { rule: "Host(`open.shop.example`)", service: app, middlewares: [pass], tls: {} }
                closed:
                  rule: "Host(`closed.shop.example`)"
                  service: app
                  middlewares: [pass]
                  tls: { options: customers }
              middlewares: { pass: { passTLSClientCert: { pem: true, info: { subject: { commonName: true } } } } }
              services: { app: { loadBalancer: { servers: [{ url: "BACKEND" }] } } }

            """

        /// A request for a host over a connection for a name.
        private static func connection(
            _ fleet: TLSFleet, _ name: String?, host: String, version: String? = nil,
            showing pair: TestAuthority.Pair? = nil, to replica: Int = 0
        ) -> TLSClient.Connection {
            var connection = fleet.connection(to: replica, "", version: version)
            connection.serverName = name.map { "\($0).shop.example" }
            connection.request = """
                GET / HTTP/1.1\r\nHost: \(host).shop.example\r\nX-Forwarded-Tls-Client-Cert: forged\r\n\
                X-Forwarded-Tls-Client-Cert-Info: forged\r\nConnection: close\r\n\r\n
                """
            (connection.certificate, connection.key) = (pair?.certificate, pair?.key)
            return connection
        }

        @Test(
            "a client without a certificate does not reach the host that demands one; the backend is told of one",
            arguments: ["TLSv1_2", "TLSv1_3"])
        func misdirected(_ version: String) async throws {
            try await Threads.run {
                try withTLSFleet(TLSFleet(Self.dynamic)) { fleet in
                    let customer = try fleet.authority.issue("customer-7", "DNS:customer-7")
                    let strangers = try TestAuthority(in: "\(fleet.directory)/strangers", name: "Strangers")
                    let stranger = try strangers.issue("customer-7", "DNS:customer-7")
                    func ask(_ name: String?, _ host: String, _ pair: TestAuthority.Pair? = nil) throws
                        -> TLSClient.Outcome
                    {
                        try TLSClient.run([
                            Self.connection(fleet, name, host: host, version: version, showing: pair)
                        ])[0]
                    }
                    let open = try ask("open", "open")
                    #expect(open.status == 200 && open.body?.contains("Client-Cert") == false, "\(open)")
                    for host in ["closed", "CLOSED", "other.closed"] {
                        let status = try ask("open", host).status
                        #expect(status == (host == "other.closed" ? 404 : 421), "\(host)")
                    }
                    for (name, pair) in [("open", customer), ("open", stranger)] as [(String?, TestAuthority.Pair)] {
                        try #expect(ask(name, "closed", pair).status == 421)
                    }
                    let closed = try ask("closed", "closed", customer)
                    let body = try #require(closed.body)
                    #expect(closed.status == 200 && body.contains("X-Forwarded-Tls-Client-Cert: MII"), "\(closed)")
                    #expect(body.contains("X-Forwarded-Tls-Client-Cert-Info: ") && body.contains("customer-7"))
                    #expect(!body.contains("forged"))
                    try #expect(ask("closed", "open", customer).status == 421)
                    for pair in [nil, stranger] {
                        let refused = try ask("closed", "closed", pair)
                        #expect(refused.status == nil && refused.error != nil, "\(refused)")
                    }
                    #expect(try Waiting.until(within: 5) { try fleet.failures("client_certificate") == 2 })
                }
            }
        }

        @Test(
            "a session that began at one host is resumed at no other with other options, at no replica",
            arguments: ["TLSv1_2", "TLSv1_3"])
        func sessions(_ version: String) async throws {
            try await Threads.run {
                let fleet = try TLSFleet(secrets: [TLSFleet.secret, TLSFleet.secret], Self.dynamic)
                try withTLSFleet(fleet) { fleet in
                    let customer = try fleet.authority.issue("customer", "DNS:customer")
                    func run(_ first: String, _ second: String, _ pair: TestAuthority.Pair?) throws
                        -> [TLSClient.Outcome]
                    {
                        var connections = [
                            Self.connection(fleet, first, host: first, version: version, showing: pair)
                        ]
                        for replica in 0...1 {
                            var next = Self.connection(fleet, second, host: second, version: version, to: replica)
                            next.resumes = 0
                            connections.append(next)
                        }
                        return try TLSClient.run(connections)
                    }
                    // Without a certificate, what began at the open host opens no door.
                    for outcome in try run("open", "closed", nil).dropFirst() {
                        #expect(outcome.status == nil && outcome.error != nil, "\(outcome)")
                    }
                    for outcomes in [try run("open", "closed", customer), try run("closed", "open", customer)] {
                        #expect(outcomes.map(\.status) == [200, 200, 200], "\(outcomes)")
                        #expect(outcomes.map(\.isResumed) == [false, false, false])
                    }
                    // At its own host each is, with the certificate that it began with.
                    let closed = try run("closed", "closed", customer)
                    #expect(closed.map(\.isResumed) == [false, true, true], "\(closed)")
                    #expect(closed.allSatisfy { $0.body?.contains("Client-Cert: MII") == true })
                    try #expect(run("open", "open", nil).map(\.isResumed) == [false, true, true])
                }
            }
        }
    }
}
