import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("What cannot start says why")
    struct StartupErrorTests {
        /// Runs a replica with a configuration in which `PORT`, `ADMIN` and `DIR` stand for what is free.
        private func start(_ yaml: String, port: Int? = nil) async throws -> CommandOutcome {
            try await Threads.run {
                let directory = FileManager.default.temporaryDirectory
                    .appendingPathComponent("limpet-start-\(UInt64.random(in: 0 ... .max))")
                try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
                defer { try? FileManager.default.removeItem(at: directory) }
                let (port, admin) = (try port ?? LoopbackPort.free(), try LoopbackPort.free())
                let path = directory.appendingPathComponent("limpet.yml").path
                let text = yaml.replacingOccurrences(of: "PORT", with: "\(port)")
                    .replacingOccurrences(of: "ADMIN", with: "\(admin)")
                    .replacingOccurrences(of: "DIR", with: directory.path)
                try TextFile.write(text, to: path)
                let outcome = try CommandOutcome(of: ["run", "--config", path])
                // Whatever it was, nothing is left that listens.
                if (try? TCPSocket(port: admin)) != nil {
                    throw Unexpected(description: "somebody listens on \(admin)")
                }
                return outcome
            }
        }

        private static let head = """
            entryPoints: { web: { address: "127.0.0.1:PORT" }, admin: { address: "127.0.0.1:ADMIN" } }
            http:
              routers: { all: { rule: "PathPrefix(`/`)", service: app } }
              services: { app: { loadBalancer: { servers: [ { url: "http://127.0.0.1:9" } ] } } }

            """

        private func expectOneSentence(_ outcome: CommandOutcome, _ parts: String...) {
            #expect(outcome.end == .exited(1))
            #expect(outcome.output.isEmpty)
            let lines = outcome.errors.split(separator: "\n")
            #expect(lines.count == 1, "\(outcome.errors)")
            for part in parts { #expect(outcome.errors.contains(part), "\(part) is not in: \(outcome.errors)") }
        }

        @Test("a port that is taken")
        func portInUse() async throws {
            let other = try ScriptedBackend { _, _ in }
            defer { other.close() }
            let outcome = try await start(Self.head, port: other.port)
            expectOneSentence(
                outcome, "cannot listen on 127.0.0.1:\(other.port)", "address already in use")
        }

        @Test("a file of the store's TLS that cannot be read, and one that is something else")
        func storeTLS() async throws {
            let authority = try TestAuthority(in: TemporaryFile.path())
            for (tls, part) in [
                ("ca: DIR/none.pem", "store.redis.tls.ca: "), ("ca: DIR/none.pem", "none.pem cannot be read"),
                (
                    "cert: \(authority.root.certificate), key: \(authority.root.certificate)",
                    "store.redis.tls.key: \(authority.root.certificate) contains no private key in PEM form"
                ),
            ] {
                let store = "store: { redis: { endpoints: [\"rediss://127.0.0.1:1\"], tls: { \(tls) } } }\n"
                let outcome = try await start(Self.head + "fleet: { secret: 0123456789abcdef }\n" + store)
                #expect(outcome.end == .exited(1) && outcome.errors.contains(part), "\(outcome.errors)")
            }
        }

        @Test("a port of the admin listener that is taken, as by another replica here")
        func adminPortInUse() async throws {
            let other = try ScriptedBackend { _, _ in }
            defer { other.close() }
            let yaml = "entryPoints: { web: { address: 127.0.0.1:ADMIN }, admin: { address: 127.0.0.1:PORT } }\n"
            try await expectOneSentence(
                start(yaml, port: other.port), "cannot listen on 127.0.0.1:\(other.port)",
                "this is the admin listener: set entryPoints.admin.address")
        }

        @Test("a file of the secret that cannot be read")
        func unreadableSecret() async throws {
            try await expectOneSentence(
                start(Self.head + "fleet: { secretFile: DIR }"), "limpet.yml:5:22: fleet.secretFile", "cannot be read",
                "is a directory")
            try await expectOneSentence(
                start(Self.head + "fleet: { secretFile: DIR/none }"), "fleet.secretFile", "no such file or directory")
        }

        @Test("a configuration file that is not there")
        func missingFile() async throws {
            let outcome = try await Threads.run { try CommandOutcome(of: ["run", "--config", "/nowhere/limpet.yml"]) }
            expectOneSentence(outcome, "/nowhere/limpet.yml", "no such file or directory")
        }

        @Test("broken YAML")
        func brokenYAML() async throws {
            let outcome = try await start("entryPoints: { web: [\nhttp:\n")
            expectOneSentence(outcome, "limpet.yml:", "is not valid YAML")
        }

        @Test("a shared store without a secret")
        func noSecret() async throws {
            let outcome = try await start(Self.head + "store: { redis: {} }")
            expectOneSentence(outcome, "limpet.yml:5:", "store.redis", "needs a fleet secret", "fleet.secretFile")
        }

        @Test("several mistakes are all reported, each with its place")
        func severalMistakes() async throws {
            let outcome = try await start(
                """
                entryPoints: { web: { address: "nowhere" }, admin: { address: "127.0.0.1:ADMIN" } }
                log: { level: loud }
                stor: {}
                http:
                  routers: { all: { rule: "Pfad(`/`)", service: app } }
                  services: { app: { loadBalancer: { servers: [ { url: "ftp://127.0.0.1:9" } ] } } }
                """)
            #expect(outcome.end == .exited(1))
            for part in [
                ":1:32: entryPoints.web.address", ":2:15: log.level", ":3:1: stor", "did you mean store",
                ":5:27: http.routers.all.rule", ":6:56: http.services.app.loadBalancer.servers[0].url",
            ] {
                #expect(outcome.errors.contains(part), "\(part) is not in: \(outcome.errors)")
            }
            #expect(!outcome.errors.hasPrefix("Error") && outcome.errors.hasSuffix("\n5 errors: nothing was started\n"))
        }

        @Test("wrong usage ends with 2, help with 0")
        func usage() async throws {
            let outcomes = try await Threads.run {
                try [["run", "--konfig", "x"], ["run"], ["walk"], ["--help"], ["--version"]].map {
                    try CommandOutcome(of: $0)
                }
            }
            #expect(outcomes.map(\.end) == [.exited(2), .exited(2), .exited(2), .exited(0), .exited(0)])
            for outcome in outcomes[..<3] { #expect(outcome.output.isEmpty && outcome.errors.contains("Usage:")) }
            for outcome in outcomes[3...] { #expect(outcome.errors.isEmpty && !outcome.output.isEmpty) }
        }
    }
}
