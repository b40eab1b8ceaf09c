import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// What `deploy/` says of TLS, with a certificate, a Redis and backends of this test.
    @Suite("The files in deploy/")
    struct DeployTests {
        private static func file(_ name: String) throws -> String {
            let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent()
            return try TextFile.read(root.appendingPathComponent("deploy/\(name)").path)
        }

        /// fleet-tls.yml with other addresses and another folder; each of them must be there.
        private static func configuration(_ replaced: [(String, String)]) throws -> String {
            try replaced.reduce(file("fleet-tls.yml")) { text, change in
                try #require(text.contains(change.0), "\(change.0)")
                return text.replacingOccurrences(of: change.0, with: change.1)
            }
        }

        private static func serve(_ pair: TestAuthority.Pair, in folder: String) throws {
            for (from, name) in [(pair.certificate, "tls.crt"), (pair.key, "tls.key")] {
                let path = "\(folder)/\(name)"
                try FileManager.default.copyItem(atPath: from, toPath: path + ".new")
                try #require(rename(path + ".new", path) == 0)
            }
        }

        @Test("serve the fleet over TLS, send plain requests on to it, and take a new certificate")
        func fleet() async throws {
            try await Threads.run {
                let folder = TemporaryFile.path()
                let authority = try TestAuthority(in: folder)
                defer { try? FileManager.default.removeItem(atPath: folder) }
                try Self.serve(authority.issue("first", "DNS:shop.example"), in: folder)
                let redis = try RedisServer([], port: LoopbackPort.free())
                defer { redis.kill() }
                let backends = try ["amber", "birch", "cedar"].map { try WhoamiProcess($0, in: folder) }
                defer { for backend in backends { backend.process.kill() } }
                let secure = try LoopbackPort.free()
                let common = [
                    ("\":8443\"", "\"127.0.0.1:\(secure)\""), ("/etc/limpet/certs", folder),
                    ("redis:6379", "127.0.0.1:\(redis.port)"),
                ]
                let servers = backends.map { ("http://\($0.name):8080", "http://127.0.0.1:\($0.port)") }
                _ = try Self.configuration(common + servers)
                let replica = try LimpetProcess(
                    "r0", in: folder, prefix: ["/usr/bin/env", "LIMPET_FLEET_SECRET=\(Fleet.secret)"]
                ) { port, adminPort in
                    let own = ("\":8000\"", "\"127.0.0.1:\(port)\"")
                    let admin = ("entryPoints:\n", "entryPoints:\n  admin: { address: \"127.0.0.1:\(adminPort)\" }\n")
                    return (try? Self.configuration(common + servers + [own, admin])) ?? ""
                }
                defer { replica.process.kill() }
                try Self.check(replica, secure, authority)
                try Self.serve(authority.issue("second", "DNS:shop.example,DNS:new.example"), in: folder)
                #expect(
                    Waiting.until(within: 10) {
                        (try? Self.ask(secure, authority))?.names == ["shop.example", "new.example"]
                    })
                #expect(replica.stop() == .exited(0))
            }
        }

        private static func ask(_ port: Int, _ authority: TestAuthority) throws -> TLSClient.Outcome {
            var connection = TLSClient.Connection(port: port, serverName: "shop.example")
            connection.authority = authority.root.certificate
            return try TLSClient.run([connection])[0]
        }

        private static func check(_ replica: LimpetProcess, _ port: Int, _ authority: TestAuthority) throws {
            let outcome = try ask(port, authority)
            #expect(outcome.status == 200 && outcome.names == ["shop.example"], "\(outcome)")
            #expect(outcome.response?.contains("shop_sid=") == true && outcome.response?.contains("; Secure") == true)
            let request = HTTPRequest("GET", "/a?b=1", fields: ["Connection": "close"], host: "shop.example")
            let answer = try HTTPConnection(port: replica.port).exchange(request)
            #expect(answer.status == 302)
            #expect(answer["location"] == "https://shop.example:\(port)/a?b=1")
        }

        @Test("agree with each other")
        func files() throws {
            let (plain, secure) = (try Self.file("fleet.yml"), try Self.file("fleet-tls.yml"))
            let shared = try #require(plain.range(of: "store:\n"))
            #expect(secure.hasSuffix(plain[shared.lowerBound...]))
            let (base, compose) = (try Self.file("docker-compose.yml"), try Self.file("docker-compose.tls.yml"))
            #expect(compose.contains("- ./fleet-tls.yml:/etc/limpet/limpet.yml:ro\n"))
            #expect(compose.contains("}:/etc/limpet/certs:ro\n"))
            let services = compose.matches(
                of: /(?m)^  ([a-z0-9-]+): \{ <<: \*replica, ports: \["127\.0\.0\.1:\d+:8443"\] \}$/)
            #expect(services.count == 3 && services.allSatisfy { base.contains("\n  \($0.1): { <<: *replica, ") })
            #expect(try Self.file("Dockerfile").contains("\nEXPOSE 8000 8443\n"))
        }
    }
}
