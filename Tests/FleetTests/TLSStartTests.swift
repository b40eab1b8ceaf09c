import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("A start with certificate files that cannot serve")
    struct TLSStartTests {
        /// A kind of fault: what is served, and what is said of it.
        private struct Fault {
            let pair: TestAuthority.Pair
            let key: String
            let said: String
        }

        private static func faults(_ directory: String) throws -> [Fault] {
            let authority = try TestAuthority(in: directory)
            let good = try authority.issue("good", "DNS:shop.example")
            let other = try authority.issue("other", "DNS:other.example")
            let encrypted = "\(directory)/encrypted.key"
            try TestAuthority.openssl(
                "pkey -in \(good.key) -aes256 -passout pass:a-secret -out \(encrypted)", [], in: directory)
            func fault(_ certificate: String, _ key: String, at place: String, _ said: String) -> Fault {
                Fault(pair: .init(certificate: certificate, key: key), key: place, said: said)
            }
            let unserved = "is of a kind that is not served: use P-256, P-384 or RSA"
            let missing = "cannot be read: no such file or directory: name a PEM file that Limpet can read"
            return [
                fault("\(directory)/gone.pem", good.key, at: "certFile", "gone.pem \(missing)"),
                fault(good.certificate, "\(directory)/gone.key", at: "keyFile", "gone.key \(missing)"),
                fault(
                    good.certificate, encrypted, at: "keyFile",
                    "encrypted.key contains an encrypted key: decrypt it, with openssl pkey for one"),
                fault(
                    good.certificate, other.key, at: "keyFile",
                    "other.key is the key of another certificate: name the one that this certificate was issued for"),
            ]
                + (try [TestAuthority.Algorithm.p521, .ed25519].map { algorithm in
                    let pair = try authority.issue("\(algorithm)", "DNS:shop.example", algorithm: algorithm)
                    return fault(pair.certificate, pair.key, at: "keyFile", "\(algorithm).key \(unserved)")
                })
        }

        private static func configuration(_ pair: TestAuthority.Pair, port: Int, adminPort: Int) -> String {
            """
            entryPoints: { web: { address: "127.0.0.1:\(port)" }, admin: { address: "127.0.0.1:\(adminPort)" } }
            tls:
              certificates:
                - certFile: \(pair.certificate)
                  keyFile: \(pair.key)
            http:
              routers: { app: { rule: "PathPrefix(`/`)", service: app, tls: true } }
              services: { app: { loadBalancer: { servers: [{ url: "http://127.0.0.1:9" }] } } }

            """
        }

        @Test("says in one line where they are named and what to do, and ends with 1; check says the same")
        func refused() async throws {
            try await Threads.run {
                let directory = TemporaryFile.path()
                defer { try? FileManager.default.removeItem(atPath: directory) }
                let (port, adminPort) = (try LoopbackPort.free(), try LoopbackPort.free())
                let path = "\(directory)/limpet.yml"
                for fault in try Self.faults(directory) {
                    try TextFile.write(
                        Self.configuration(fault.pair, port: port, adminPort: adminPort), to: path)
                    let outcome = try CommandOutcome(of: ["run", "--config", path])
                    #expect(outcome.end == .exited(1) && outcome.output.isEmpty)
                    let line =
                        "\(path):\(fault.key == "certFile" ? "4:17" : "5:16"): tls.certificates[0].\(fault.key): "
                    #expect(outcome.errors == "\(line)\(directory)/\(fault.said)\n", "\(outcome.errors)")
                    let check = try CommandOutcome(of: ["check", "--config", path])
                    #expect(check.end == .exited(1) && check.output.hasPrefix(outcome.errors), "\(check.output)")
                    #expect((try? TCPSocket(port: port)) == nil)
                }
            }
        }

        @Test("serves one that has expired, and warns of it")
        func expired() async throws {
            try await Threads.run {
                let directory = TemporaryFile.path()
                defer { try? FileManager.default.removeItem(atPath: directory) }
                let authority = try TestAuthority(in: directory)
                let pair = try authority.issue("old", "DNS:shop.example", isExpired: true)
                let replica = try LimpetProcess("r0", in: directory) {
                    Self.configuration(pair, port: $0, adminPort: $1)
                }
                defer { replica.process.kill() }
                let warning = "old.pem expired on 2020-12-31, and clients refuse it: renew it"
                #expect(replica.errorLog.contains(warning), "\(replica.errorLog)")
                var client = TLSClient.Connection(port: replica.port, serverName: "shop.example")
                #expect(try TLSClient.run([client])[0].status == 503)
                client.authority = authority.root.certificate
                #expect(try TLSClient.run([client])[0].error?.contains("certificate has expired") == true)
                #expect(replica.stop() == .exited(0))
            }
        }

        @Test("check of dynamic files alone finds certificates and options that do not fit each other")
        func dynamicAlone() async throws {
            try await Threads.run {
                let directory = TemporaryFile.path()
                defer { try? FileManager.default.removeItem(atPath: directory) }
                let pair = try TestAuthority(in: directory).issue("shop", "DNS:shop.example")
                let path = "\(directory)/dynamic.yml"
                func check(_ options: String, _ routers: String) throws -> CommandOutcome {
                    let dynamic = """
                        tls:
                          certificates: [{ certFile: \(pair.certificate), keyFile: \(pair.key) }]
                          options:
                            \(options)
                        http:
                          routers: { \(routers) }
                          services: { app: { loadBalancer: { servers: [{ url: "http://127.0.0.1:9" }] } } }

                        """
                    try TextFile.write(dynamic, to: path)
                    return try CommandOutcome(of: ["check", path])
                }
                let misfit = "{ maxVersion: VersionTLS12, cipherSuites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256] }"
                let router = "a: { rule: Host(`shop.example`), service: app, entryPoints: [x], tls: { options: old } }"
                let wrong = try check("old: \(misfit)", router)
                #expect(wrong.end == .exited(1))
                #expect(
                    wrong.output.hasPrefix(
                        "\(path):4:10: tls.options.old: no cipher suite fits the certificate at \(path):2, whose key is ECDSA\n"
                    ), "\(wrong.output)")
                // Nothing is served under options that nobody names.
                try #expect(check("old: \(misfit)", "a: { rule: Path(`/`), service: app }").end == .exited(0))
                let unbound = try check("old: \(misfit)", "a: { rule: Path(`/`), service: app, tls: { options: old } }")
                #expect(unbound.end == .exited(0))
                #expect(
                    unbound.output.contains(
                        "warning: http.routers.a.tls.options: has no effect unless the entry points"),
                    "\(unbound.output)")
                let two = "b: { rule: Host(`shop.example`), service: app, entryPoints: [PLACE], tls: { options: new } }"
                let same = try check("{ old: {}, new: {} }", "\(router), \(two.replacing("PLACE", with: "x"))")
                #expect(same.output.contains("gives shop.example other TLS options than"), "\(same.output)")
                let apart = try check("{ old: {}, new: {} }", "\(router), \(two.replacing("PLACE", with: "y"))")
                #expect(apart.end == .exited(0), "\(apart.output)")
            }
        }
    }
}
