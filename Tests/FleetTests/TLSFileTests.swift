import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("Certificate files that cannot serve")
    struct TLSFileTests {
        /// Files of each kind, and what is said of them. The first is served.
        private static func pairs(_ directory: String) throws -> [(pair: TestAuthority.Pair, said: String)] {
            let authority = try TestAuthority(in: directory)
            let good = try authority.issue("good", "DNS:shop.example")
            let expired = try authority.issue("expired", "DNS:shop.example", isExpired: true)
            let other = try authority.issue("other", "DNS:other.example")
            let encrypted = "\(directory)/encrypted.key"
            try TestAuthority.openssl(
                "pkey -in \(good.key) -aes256 -passout pass:a-secret -out \(encrypted)", [], in: directory)
            let chain = "\(directory)/chain.pem"
            try TextFile.write(
                try TextFile.read(authority.root.certificate) + TextFile.read(good.certificate), to: chain)
            try TextFile.write("", to: "\(directory)/empty.pem")
            let pair = { TestAuthority.Pair(certificate: $0, key: $1) }
            return [
                (good, "ok: "), (expired, "expired on 2020-12-31"),
                (pair("\(directory)/missing.pem", good.key), "missing.pem"),
                (pair(good.certificate, "\(directory)/missing.key"), "missing.key"),
                (pair("\(directory)/empty.pem", good.key), "empty.pem"),
                (pair(good.certificate, encrypted), "encrypted key"),
                (pair(good.certificate, other.key), "is the key of another certificate"),
                (pair(chain, good.key), "chain.pem"),
            ]
        }

        private static func dynamic(_ pair: TestAuthority.Pair) -> String {
            """
            tls: { certificates: [{ certFile: "\(pair.certificate)", keyFile: "\(pair.key)" }] }
            http:
              routers: { app: { rule: "PathPrefix(`/`)", service: app, tls: true } }
              services: { app: { loadBalancer: { servers: [{ url: "BACKEND" }] } } }

            """
        }

        @Test("are located mistakes for check, and for a reload, which keeps the previous ones")
        func mistakes() async throws {
            try await Threads.run {
                let folder = TemporaryFile.path()
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let pairs = try Self.pairs(folder)
                try withTLSFleet(TLSFleet(Self.dynamic(pairs[0].pair))) { fleet in
                    let port = fleet.backend.port
                    let config = "\(fleet.directory)/r0.yml"
                    var connection = fleet.connection()
                    connection.authority = "\(folder)/ca.pem"
                    for (index, (pair, said)) in pairs.enumerated() {
                        // An expired one is served, with a warning; it comes back whole before the next.
                        let text = Self.dynamic(pair).replacingOccurrences(
                            of: "BACKEND", with: "http://127.0.0.1:\(port)")
                        try TextFile.write(text, to: "\(fleet.directory)/dynamic.new")
                        try #require(rename("\(fleet.directory)/dynamic.new", "\(fleet.directory)/dynamic.yml") == 0)
                        let check = try CommandOutcome(of: ["check", "--config", config])
                        #expect(check.end == .exited(index < 2 ? 0 : 1), "\(said): \(check.output)")
                        #expect(check.output.contains(said), "\(said): \(check.output)")
                        #expect(!(check.output + check.errors).contains("PRIVATE KEY"))
                        if index == 1 {
                            let isRefused = Waiting.until(within: 10) {
                                let error = (try? TLSClient.run([connection]))?[0].error
                                return error?.contains("certificate has expired") == true
                            }
                            #expect(isRefused)
                            try TextFile.write(
                                Self.dynamic(pairs[0].pair).replacingOccurrences(
                                    of: "BACKEND", with: "http://127.0.0.1:\(port)"),
                                to: "\(fleet.directory)/dynamic.yml")
                            #expect(
                                Waiting.until(within: 10) { (try? TLSClient.run([connection]))?[0].status == 200 })
                        } else if index > 1 {
                            #expect(check.output.contains("dynamic.yml:1:"), "\(check.output)")
                            let isSaid = Waiting.until(within: 10) {
                                ((try? fleet.replicas[0].admin("/api/overview").text) ?? "").contains(said)
                            }
                            #expect(isSaid, "\(said)")
                            #expect(try TLSClient.run([connection])[0].status == 200, "\(said)")
                        }
                    }
                }
            }
        }
    }
}
