import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("TLS of real replicas")
    struct TLSTests {
        @Test(
            "a session that began at one replica is resumed at another of the fleet, and at none of another fleet",
            arguments: ["TLSv1_2", "TLSv1_3"])
        func tickets(_ version: String) async throws {
            try await Threads.run {
                let fleet = try TLSFleet(
                    secrets: [
                        "one-secret-of-a-test-fleet-000000", "one-secret-of-a-test-fleet-000000",
                        "another-secret-of-a-fleet-00000000",
                    ], TLSFleet.dynamic)
                try withTLSFleet(fleet) { fleet in
                    var connections = [fleet.connection(to: 0, version: version)]
                    for index in 0..<20 {
                        var next = fleet.connection(to: 1 - index % 2, version: version)
                        next.resumes = index
                        connections.append(next)
                    }
                    var foreign = fleet.connection(to: 2, version: version)
                    foreign.resumes = 0
                    connections.append(foreign)
                    let outcomes = try TLSClient.run(connections)
                    #expect(outcomes.allSatisfy { $0.status == 200 }, "\(outcomes.compactMap(\.error))")
                    #expect(outcomes[1...20].count { $0.isResumed == true } == 20)
                    #expect(outcomes[21].isResumed == false)
                    let number = version == "TLSv1_3" ? "1.3" : "1.2"
                    let metrics = try fleet.metrics(of: 1)
                    #expect(metrics.contains("limpet_tls_handshakes_total{version=\"\(number)\""))
                    #expect(metrics.contains("resumed=\"true\"} 10\n"))
                    #expect(
                        metrics.contains("limpet_tls_certificate_not_after_timestamp_seconds{name=\"shop.example\""))
                    #expect(
                        Waiting.until(within: 5) {
                            let log = (try? TextFile.read("\(fleet.directory)/r1.access")) ?? ""
                            let lines = log.split(separator: "\n")
                            return lines.count == 10
                                && lines.allSatisfy {
                                    $0.contains("\"TLSVersion\":\"\(number)\"")
                                        && $0.contains("\"TLSServerName\":\"shop.example\"")
                                        && $0.contains("\"TLSResumed\":1")
                                }
                        })
                }
            }
        }

        @Test("a certificate that is replaced is served to the next connection; one that does not fit changes nothing")
        func replaced() async throws {
            try await Threads.run {
                let fleet = try TLSFleet(secrets: ["one-secret-of-a-test-fleet-000000"], TLSFleet.dynamic)
                try withTLSFleet(fleet) { fleet in
                    #expect(try TLSClient.run([fleet.connection()])[0].names == ["shop.example", "*.shop.example"])
                    try fleet.serve(fleet.authority.issue("second", "DNS:shop.example,DNS:new.example"))
                    #expect(
                        Waiting.until(within: 10) {
                            (try? TLSClient.run([fleet.connection()]))?[0].names == ["shop.example", "new.example"]
                        })
                    #expect(try fleet.replicas[0].admin("/api/overview").text.contains("new.example"))
                    let other = try fleet.authority.issue("third", "DNS:third.example")
                    try FileManager.default.removeItem(atPath: fleet.certificate.key)
                    try FileManager.default.copyItem(atPath: other.key, toPath: fleet.certificate.key)
                    #expect(
                        Waiting.until(within: 10) {
                            ((try? fleet.replicas[0].admin("/api/overview").text) ?? "")
                                .contains("is the key of another certificate")
                        })
                    #expect(try TLSClient.run([fleet.connection()])[0].names == ["shop.example", "new.example"])
                }
            }
        }

        /// `LIMPET_TLS_SECONDS` makes it longer.
        private static let loadSeconds =
            ProcessInfo.processInfo.environment["LIMPET_TLS_SECONDS"].flatMap { Int($0) } ?? 10

        @Test("certificates that are replaced every second cost no request, on kept connections and on new ones")
        func underLoad() async throws {
            let seconds = Self.loadSeconds
            try await Threads.run {
                try withTLSFleet(TLSFleet(TLSFleet.dynamic)) { fleet in
                    let pairs = try (0..<4).map {
                        try fleet.authority.issue("next\($0)", "DNS:shop.example,DNS:n\($0).example")
                    }
                    let load = try ChildProcess(
                        [TLSClient.python] + TLSLoad.arguments(fleet, seconds: seconds), log: "\(fleet.directory)/load")
                    for round in 0..<seconds {
                        // The pace is part of what is tested.
                        usleep(1_000_000)
                        try fleet.serve(pairs[round % pairs.count])
                    }
                    let end = load.waitForEnd(within: 60)
                    try #require(end == .exited(0), "\((try? TextFile.read(load.errorPath)) ?? "")")
                    let output = Data(try TextFile.read(load.outputPath).utf8)
                    let outcome = try JSONDecoder().decode(TLSLoad.self, from: output)
                    print(
                        "\(seconds) certificates: \(outcome.kept) requests on kept connections, \(outcome.fresh) on new ones"
                    )
                    #expect(outcome.failures.isEmpty, "\(outcome.failures)")
                    #expect(outcome.kept > 100 && outcome.fresh > 100)
                    #expect(outcome.names.count == 5, "\(outcome.names)")
                }
            }
        }

        @Test("a router with TLS takes requests over TLS alone, one without it the others, on one port")
        func routers() async throws {
            let dynamic = """
                tls: { certificates: [{ certFile: "DIR/served.pem", keyFile: "DIR/served.key" }] }
                http:
                  routers:
                    secure: { rule: "Path(`/secure`)", service: app, tls: {} }
                    plain: { rule: "Path(`/plain`)", service: app }
                  services: { app: { loadBalancer: { servers: [{ url: "BACKEND" }] } } }

                """
            try await Threads.run {
                let fleet = try TLSFleet(secrets: ["one-secret-of-a-test-fleet-000000"], dynamic)
                try withTLSFleet(fleet) { fleet in
                    func secure(_ path: String) throws -> Int? {
                        var connection = fleet.connection()
                        connection.request = "GET \(path) HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"
                        return try TLSClient.run([connection])[0].status
                    }
                    func plain(_ path: String) throws -> Int {
                        let request = HTTPRequest("GET", path, fields: ["Connection": "close"], host: "shop.example")
                        return try HTTPConnection(port: fleet.replicas[0].port).exchange(request).status
                    }
                    try #expect([secure("/secure"), secure("/plain")] == [200, 404])
                    try #expect([plain("/secure"), plain("/plain")] == [404, 200])
                }
            }
        }

        @Test("an entry point with TLS gives it to its routers; one that redirects leads there")
        func entryPoints() async throws {
            let dynamic = TLSFleet.dynamic.replacingOccurrences(of: ", tls: true", with: "")
            try await Threads.run {
                let fleet = try TLSFleet(
                    secrets: ["one-secret-of-a-test-fleet-000000"], dynamic,
                    entryPoint: ", http: { tls: true }")
                try withTLSFleet(fleet) { fleet in
                    #expect(try TLSClient.run([fleet.connection()])[0].status == 200)
                    let request = HTTPRequest("GET", "/", fields: ["Connection": "close"], host: "shop.example")
                    let response = try HTTPConnection(port: fleet.replicas[0].port).exchange(request)
                    #expect(response.status == 400)
                }
                let redirecting = try TLSFleet(
                    secrets: ["one-secret-of-a-test-fleet-000000"], dynamic,
                    entryPoint: ", http: { redirections: { entryPoint: { to: \":8443\" } } }")
                try withTLSFleet(redirecting) { fleet in
                    let request = HTTPRequest("GET", "/a?b=1", fields: ["Connection": "close"], host: "shop.example")
                    let response = try HTTPConnection(port: fleet.replicas[0].port).exchange(request)
                    #expect(response.status == 301)
                    #expect(response["location"] == "https://shop.example:8443/a?b=1")
                }
            }
        }
    }
}
