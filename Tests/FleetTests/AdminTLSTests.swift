import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("The admin listener with TLS")
    struct AdminTLSTests {
        @Test("is asked over TLS by limpet fleet and limpet explain, which verify it and say why they do not ask it")
        func verified() async throws {
            try await withReplica { replica in
                let ca = replica.authority.root.certificate
                let fleet = try CommandOutcome(of: ["fleet", "--admin", replica.url, "--ca", ca])
                #expect(fleet.end == .exited(0) && fleet.output.contains("r1 (asked)"), "\(fleet.errors)")
                let explained = try CommandOutcome(of: [
                    "explain", "--config", replica.path, "--admin", replica.url, "--ca", ca, "GET", "http://a/",
                ])
                #expect(explained.end == .exited(0) && explained.output.contains("DOWN") == false)
                let named = try CommandOutcome(of: ["fleet", "--admin", replica.url(of: "localhost"), "--ca", ca])
                #expect(named.end == .exited(0), "\(named.errors)")
                // The system's authorities, and those of a file that is another's.
                let unknown = "has a certificate that is refused: the certificate is of an unknown authority"
                try Self.expectFailure(["--admin", replica.url], unknown)
                let stranger = try TestAuthority(in: "\(replica.directory)/stranger", name: "Stranger")
                try Self.expectFailure(["--admin", replica.url, "--ca", stranger.root.certificate], unknown)
                let plain = "http://127.0.0.1:\(replica.adminPort)"
                try Self.expectFailure(["--admin", plain], "\(plain) needs TLS: write https://host:port")
            }
        }

        @Test("serves a certificate that replaced another to its next connection; one that is wrong or old is refused")
        func replaced() async throws {
            try await withReplica { replica in
                let arguments = ["--admin", replica.url, "--ca", replica.authority.root.certificate]
                try replica.serve("other", "DNS:other.example")
                try Self.awaitFailure(arguments, "is refused: the certificate is for another name")
                try replica.serve("old", "IP:127.0.0.1", isExpired: true)
                try Self.awaitFailure(arguments, "is refused: the certificate has expired, or is not valid yet")
                try replica.serve("right", "IP:127.0.0.1")
                #expect(
                    Waiting.until(within: 10) {
                        (try? CommandOutcome(of: ["fleet"] + arguments).end) == .exited(0)
                    })
            }
        }

        @Test("refuses who shows no certificate, where the options demand one")
        func mutual() async throws {
            try await withReplica("{ options: mutual }") { replica in
                let outcome = try CommandOutcome(
                    of: ["fleet", "--admin", replica.url, "--ca", replica.authority.root.certificate])
                #expect(outcome.end == .exited(1) && outcome.output.isEmpty)
                var connection = TLSClient.Connection(port: replica.adminPort)
                connection.request = "GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                let client = try replica.authority.issue("client", "DNS:client.example")
                (connection.certificate, connection.key) = (client.certificate, client.key)
                #expect(try TLSClient.run([connection])[0].body == "OK")
            }
        }

        @Test("counts handshakes that fail, by reason, and apart from those of entry points")
        func failures() async throws {
            try await withReplica("{ options: mutual }") { replica in
                let client = try replica.authority.issue("client", "DNS:client.example")
                let hello = ClientHelloBytes.records(
                    ClientHelloBytes.message(extensions: [0, 10, 0, 4, 0, 2, 0, 0x17, 0, 13, 0, 4, 0, 2, 4, 3]))
                let cases: [(bytes: [UInt8], alert: UInt8?, reason: String)] = [
                    ([0x80, 0x2E, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10], 70, "sslv2"),
                    ([0x16, 3, 1, 0, 4, 2, 0, 0, 0], 50, "malformed"), (Array(hello.dropLast()), nil, "closed"),
                ]
                for (bytes, alert, reason) in cases {
                    let socket = try TCPSocket(port: replica.adminPort)
                    defer { socket.close() }
                    try socket.send(bytes)
                    if alert == nil { socket.closeOutput() }
                    let answer = try socket.receiveAll()
                    #expect(answer.last == alert, "\(reason): \(answer)")
                    #expect(try Waiting.until(within: 5) { try replica.failures(reason, client) == 1 }, "\(reason)")
                }
                #expect(try TLSClient.run([TLSClient.Connection(port: replica.adminPort)])[0].status == nil)
                let isCounted = try Waiting.until(within: 5) { try replica.failures("client_certificate", client) == 1 }
                #expect(isCounted)
                try #expect(replica.metrics(client).contains("limpet_tls_handshake_failures_total{") == false)
            }
        }

        @Test("holds at most 512 handshakes of one source that it does not finish, and ends them in time")
        func flood() async throws {
            try await withReplica { replica in
                let hello = ClientHelloBytes.records(
                    ClientHelloBytes.message(extensions: [0, 10, 0, 4, 0, 2, 0, 0x17, 0, 13, 0, 4, 0, 2, 4, 3]))
                let begin = ContinuousClock.now
                let clients = try (0..<700).map { _ in
                    let client = try TCPSocket(port: replica.adminPort)
                    try? client.send(hello)
                    return client
                }
                let refused = try replica.failures("limit")
                let seconds = (ContinuousClock.now - begin) / .seconds(1)
                #expect(refused == clients.count - 512 || seconds > 9, "\(refused) after \(seconds) s")
                let areOver = try Waiting.until(within: 20) {
                    try replica.failures("timeout") + replica.failures("limit") == clients.count
                }
                #expect(areOver)
                let fleet = try CommandOutcome(
                    of: ["fleet", "--admin", replica.url, "--ca", replica.authority.root.certificate])
                #expect(fleet.end == .exited(0), "\(fleet.errors)")
                clients.forEach { $0.close() }
            }
        }

        @Test("is shown the certificate of --cert and --key, where it demands one")
        func shown() async throws {
            try await withReplica("{ options: mutual }") { replica in
                let ca = replica.authority.root.certificate
                let pair = try replica.authority.issue("operator", "DNS:operator")
                let both = ["--cert", pair.certificate, "--key", pair.key]
                let admin = ["--admin", replica.url, "--ca", ca]
                let fleet = try CommandOutcome(of: ["fleet"] + admin + both)
                #expect(fleet.end == .exited(0) && fleet.output.contains("r1 (asked)"), "\(fleet.errors)")
                let explained = try CommandOutcome(
                    of: ["explain", "--config", replica.path] + admin + both + ["GET", "http://a/"])
                #expect(explained.end == .exited(0), "\(explained.errors)")
                // As curl takes it: one file may contain both.
                let joined = "\(replica.directory)/joined.pem"
                try TextFile.write(TextFile.read(pair.certificate) + TextFile.read(pair.key), to: joined)
                let one = try CommandOutcome(of: ["fleet"] + admin + ["--cert", joined])
                #expect(one.end == .exited(0), "\(one.errors)")
                let advice = "demands a certificate: name one that it accepts with --cert and --key"
                try Self.expectFailure(admin, advice)
                let stranger = try TestAuthority(in: "\(replica.directory)/stranger", name: "S").issue("s", "DNS:s")
                try Self.expectFailure(admin + ["--cert", stranger.certificate, "--key", stranger.key], advice)
            }
        }

        @Test("is not asked where --cert and --key do not fit; the file and the reason are named")
        func unfit() async throws {
            try await Threads.run {
                let directory = TemporaryFile.path()
                defer { try? FileManager.default.removeItem(atPath: directory) }
                let authority = try TestAuthority(in: directory)
                let (pair, other) = (try authority.issue("a", "DNS:a"), try authority.issue("b", "DNS:b"))
                let encrypted = "\(directory)/encrypted.key"
                try TestAuthority.openssl(
                    "pkey -in \(pair.key) -aes256 -passout pass:a-secret -out \(encrypted)", [], in: directory)
                let gone = "\(directory)/gone"
                let (cert, key) = (["--cert", pair.certificate], ["--key", pair.key])
                let cases: [(arguments: [String], problem: String)] = [
                    (["--cert", gone] + key, "--cert \"\(gone)\" cannot be read: no such file or directory"),
                    (cert + ["--key", gone], "--key \"\(gone)\" cannot be read: no such file or directory"),
                    (["--cert", pair.key] + key, "--cert \"\(pair.key)\" contains no certificate in PEM form"),
                    (
                        cert + ["--key", pair.certificate],
                        "--key \"\(pair.certificate)\" contains no private key in PEM form"
                    ),
                    (
                        cert,
                        "--cert \"\(pair.certificate)\" contains no private key in PEM form: name its file with --key"
                    ),
                    (cert + ["--key", other.key], "--key \"\(other.key)\" is the key of another certificate"),
                    (cert + ["--key", encrypted], "--key \"\(encrypted)\" contains an encrypted key"),
                    (key, "--key has no effect without --cert"),
                ]
                for (arguments, problem) in cases {
                    let outcome = try CommandOutcome(of: ["fleet", "--admin", "https://127.0.0.1:9"] + arguments)
                    #expect(outcome.end == .exited(2) && outcome.output.isEmpty)
                    #expect(outcome.errors.contains(problem), "\(outcome.errors)")
                }
                for arguments in [["fleet"], ["fleet", "--admin", "http://127.0.0.1:9"]] {
                    let outcome = try CommandOutcome(of: arguments + cert + key)
                    #expect(outcome.end == .exited(2))
                    let problem = "--cert has no effect without --admin https://host:port"
                    #expect(outcome.errors.contains(problem), "\(outcome.errors)")
                }
            }
        }

        @Test("is asked over TLS only where it speaks it, and authorities are read before")
        func plain() async throws {
            try await withFleet(.init(replicas: 1, backends: 1, store: nil)) { fleet in
                let port = fleet.replicas[0].adminPort
                try await Threads.run {
                    try Self.expectFailure(
                        ["--admin", "https://127.0.0.1:\(port)"],
                        "https://127.0.0.1:\(port) does not speak TLS: write http://host:port")
                    for (arguments, problem) in [
                        (["--ca", "/none"], "--ca has no effect without --admin https://host:port"),
                        (["--admin", "https://a", "--ca", "/none"], "--ca \"/none\" cannot be read: no such file"),
                        (
                            ["--admin", "https://a", "--ca", "/dev/null"],
                            "--ca \"/dev/null\" cannot be read: not a reg"
                        ),
                    ] {
                        let outcome = try CommandOutcome(of: ["fleet"] + arguments)
                        #expect(outcome.end == .exited(2) && outcome.errors.contains(problem), "\(outcome.errors)")
                    }
                }
            }
        }

        // MARK: Parts

        private static func expectFailure(_ arguments: [String], _ problem: String) throws {
            let outcome = try CommandOutcome(of: ["fleet"] + arguments)
            #expect(outcome.end == .exited(1) && outcome.output.isEmpty)
            #expect(outcome.errors.contains(problem), "\(outcome.errors)")
        }

        private static func awaitFailure(_ arguments: [String], _ problem: String) throws {
            #expect(
                Waiting.until(within: 10) {
                    (try? CommandOutcome(of: ["fleet"] + arguments).errors.contains(problem)) == true
                }, "\(problem)")
        }

        /// Runs a replica whose admin listener has TLS, and ends it whatever happens.
        ///
        /// - Parameter tls: of the admin listener.
        private func withReplica(
            _ tls: String = "true", _ body: @escaping @Sendable (SecureAdminReplica) throws -> Void
        ) async throws {
            try await Threads.run {
                let replica = try SecureAdminReplica(tls)
                defer { replica.end() }
                try body(replica)
                replica.process.signal(SIGTERM)
                #expect(replica.process.waitForEnd(within: 20) == .exited(0))
            }
        }
    }
}

/// A replica whose admin listener has TLS. Everything here blocks.
private final class SecureAdminReplica: Sendable {
    let directory: String
    let authority: TestAuthority
    let adminPort: Int
    let process: ChildProcess
    /// Of the configuration.
    let path: String

    var url: String { url(of: "127.0.0.1") }

    func url(of host: String) -> String { "https://\(host):\(adminPort)" }

    init(_ tls: String) throws {
        let directory = TemporaryFile.path()
        let authority = try TestAuthority(in: directory)
        let first = try authority.issue("first", "IP:127.0.0.1,DNS:localhost")
        try FileManager.default.copyItem(atPath: first.certificate, toPath: "\(directory)/served.pem")
        try FileManager.default.copyItem(atPath: first.key, toPath: "\(directory)/served.key")
        let (port, adminPort) = (try LoopbackPort.free(), try LoopbackPort.free())
        let path = "\(directory)/limpet.yml"
        let configuration = """
            entryPoints:
              web: { address: "127.0.0.1:\(port)" }
              admin: { address: ":\(adminPort)", http: { tls: \(tls) } }
            replica: { name: r1, threads: 1 }
            providers: { providersThrottleDuration: 50ms }
            tls:
              stores:
                default:
                  defaultCertificate: { certFile: "\(directory)/served.pem", keyFile: "\(directory)/served.key" }
              options:
                mutual:
                  clientAuth: { clientAuthType: RequireAndVerifyClientCert, caFiles: ["\(authority.root.certificate)"] }
            http:
              routers: { all: { rule: "PathPrefix(`/`)", service: app } }
              services: { app: { loadBalancer: { servers: [{ url: "http://127.0.0.1:9" }] } } }

            """
        try TextFile.write(configuration, to: path)
        process = try ChildProcess([LimpetProgram.path(), "run", "--config", path], log: "\(directory)/r1")
        (self.directory, self.authority, self.adminPort, self.path) = (directory, authority, adminPort, path)
        let process = process
        guard Waiting.until(within: 20, { process.ended != nil || (try? TCPSocket(port: adminPort)) != nil }),
            process.ended == nil
        else { throw TLSFleet.Failure(description: try TextFile.read(process.errorPath)) }
    }

    /// Replaces the certificate, as a rename does.
    func serve(_ name: String, _ alternativeNames: String, isExpired: Bool = false) throws {
        let pair = try authority.issue(name, alternativeNames, isExpired: isExpired)
        for (from, to) in [(pair.certificate, "served.pem"), (pair.key, "served.key")] {
            try FileManager.default.copyItem(atPath: from, toPath: "\(directory)/new")
            guard rename("\(directory)/new", "\(directory)/\(to)") == 0 else {
                throw TLSFleet.Failure(description: "rename \(to)")
            }
        }
    }

    /// What `/metrics` answers, to a source of its own.
    func metrics(_ client: TestAuthority.Pair? = nil) throws -> String {
        var connection = TLSClient.Connection(port: adminPort)
        connection.source = "127.0.0.2"
        connection.request = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        (connection.certificate, connection.key) = (client?.certificate, client?.key)
        let outcome = try TLSClient.run([connection])[0]
        guard let body = outcome.body, outcome.status == 200 else { throw Unexpected(description: "\(outcome)") }
        return body
    }

    /// The handshakes with the admin listener that failed for a reason.
    func failures(_ reason: String, _ client: TestAuthority.Pair? = nil) throws -> Int {
        let name = "limpet_admin_tls_handshake_failures_total{reason=\"\(reason)\"} "
        return try metrics(client).split(separator: "\n").first { $0.hasPrefix(name) }
            .flatMap { Int($0.dropFirst(name.count)) } ?? 0
    }

    func end() {
        process.kill()
        try? FileManager.default.removeItem(atPath: directory)
    }
}
