import Foundation
import LimpetTestKit

/// Replicas that serve TLS from files, without a store, and their backends. Everything here blocks.
final class TLSFleet: Sendable {
    struct Failure: Error {
        let description: String
    }

    let directory: String
    let authority: TestAuthority
    let backend: WhoamiProcess
    let replicas: [LimpetProcess]

    /// The files of the certificate that is served.
    var certificate: TestAuthority.Pair {
        .init(certificate: "\(directory)/served.pem", key: "\(directory)/served.key")
    }

    /// - Parameters:
    ///   - secrets: the fleet secret of each replica.
    ///   - dynamic: the dynamic part, in which `DIR` stands for the folder and `BACKEND` for the URL of the backend.
    ///   - entryPoint: further keys of the entry point.
    ///   - names: of the certificate.
    init(
        secrets: [String] = [secret], _ dynamic: String, entryPoint: String = "", settings: String = "",
        names: String = "DNS:shop.example,DNS:*.shop.example", algorithm: TestAuthority.Algorithm = .p256
    ) throws {
        let directory = TemporaryFile.path()
        self.directory = directory
        authority = try TestAuthority(in: directory)
        let issued = try authority.issue("first", names, algorithm: algorithm)
        backend = try WhoamiProcess("b0", in: directory)
        try FileManager.default.copyItem(atPath: issued.certificate, toPath: "\(directory)/served.pem")
        try FileManager.default.copyItem(atPath: issued.key, toPath: "\(directory)/served.key")
        let text = dynamic.replacingOccurrences(of: "DIR", with: directory)
            .replacingOccurrences(of: "BACKEND", with: "http://127.0.0.1:\(backend.port)")
        try TextFile.write(text, to: "\(directory)/dynamic.yml")
        replicas = try secrets.enumerated().map { index, secret in
            try LimpetProcess("r\(index)", in: directory) { port, adminPort in
                """
                entryPoints:
                  web: { address: "127.0.0.1:\(port)"\(entryPoint) }
                  admin: { address: "127.0.0.1:\(adminPort)" }
                replica: { name: r\(index), threads: 2 }
                fleet: { secret: "\(secret)" }
                accessLog: { filePath: "\(directory)/r\(index).access" }
                providers: { file: { filename: "\(directory)/dynamic.yml" }, providersThrottleDuration: 50ms }
                \(settings)

                """
            }
        }
    }

    static let secret = "one-secret-of-a-test-fleet-000000"

    static let dynamic = """
        tls:
          certificates: [{ certFile: "DIR/served.pem", keyFile: "DIR/served.key" }]
        http:
          routers: { app: { rule: "PathPrefix(`/`)", service: app, tls: true } }
          services: { app: { loadBalancer: { servers: [{ url: "BACKEND" }] } } }

        """

    /// A connection to a replica that verifies the certificate.
    func connection(to replica: Int = 0, _ name: String = "shop.example", version: String? = nil)
        -> TLSClient.Connection
    {
        var connection = TLSClient.Connection(port: replicas[replica].port, serverName: name, version: version)
        connection.authority = authority.root.certificate
        return connection
    }

    /// Replaces the served certificate, as a rename does.
    func serve(_ pair: TestAuthority.Pair) throws {
        for (from, to) in [(pair.certificate, certificate.certificate), (pair.key, certificate.key)] {
            try FileManager.default.copyItem(atPath: from, toPath: to + ".new")
            guard rename(to + ".new", to) == 0 else { throw Failure(description: "rename \(to)") }
        }
    }

    /// The handshakes of a replica that were completed with a version of TLS.
    func handshakes(_ version: String, isResumed: Bool, of replica: Int = 0) throws -> Int {
        try metrics(of: replica).split(separator: "\n").filter {
            $0.hasPrefix("limpet_tls_handshakes_total{version=\"\(version)\"")
                && $0.contains("resumed=\"\(isResumed)\"")
        }.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
    }

    /// The handshakes of a replica that failed for a reason.
    func failures(_ reason: String, of replica: Int = 0) throws -> Int {
        try Int(replicas[replica].metric("limpet_tls_handshake_failures_total{reason=\"\(reason)\"}") ?? 0)
    }

    func metrics(of replica: Int = 0) throws -> String { try replicas[replica].admin("/metrics").text }

    func end() -> [ChildProcess.End?] {
        let ends = replicas.map { $0.stop() }
        for replica in replicas { replica.process.kill() }
        backend.process.kill()
        try? FileManager.default.removeItem(atPath: directory)
        return ends
    }
}

/// Runs `body` with a fleet, and ends it whatever happens. Each replica must then stop well.
func withTLSFleet(_ fleet: TLSFleet, _ body: (TLSFleet) throws -> Void) throws {
    let result = Result { try body(fleet) }
    let ends = fleet.end()
    try result.get()
    guard ends.allSatisfy({ $0 == .exited(0) }) else {
        throw TLSFleet.Failure(description: "the replicas ended so: \(ends)")
    }
}
