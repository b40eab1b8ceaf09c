import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// What many certificates cost. The figures mean something for an optimised build alone, which
    /// `LIMPET_RELEASE_BIN` names.
    @Suite(
        "Measurements of TLS",
        .enabled(if: ProcessInfo.processInfo.environment["LIMPET_MEASURE"] != nil, "LIMPET_MEASURE is not set"))
    struct TLSMeasurements {
        /// A Python that issues certificates fast.
        private static let python = PythonPeers.python(importing: "cryptography")

        /// Writes `0.pem`, `0.key` and so on, each of `n<number>.example` and signed by itself.
        private static let issuing = """
            import datetime, sys
            from cryptography import x509
            from cryptography.hazmat.primitives import hashes, serialization as form
            from cryptography.hazmat.primitives.asymmetric import ec
            now = datetime.datetime.now(datetime.timezone.utc)
            for number in range(int(sys.argv[2])):
                key, name = ec.generate_private_key(ec.SECP256R1()), f"n{number}.example"
                subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
                made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
                    .serial_number(number + 1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=90))
                    .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
                    .sign(key, hashes.SHA256()))
                with open(f"{sys.argv[1]}/{number}.pem", "wb") as file:
                    file.write(made.public_bytes(form.Encoding.PEM))
                with open(f"{sys.argv[1]}/{number}.key", "wb") as file:
                    file.write(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
            """

        private static func dynamic(_ folder: String, _ numbers: Range<Int>) -> String {
            let pairs = numbers.map { "    - { certFile: \"\(folder)/\($0).pem\", keyFile: \"\(folder)/\($0).key\" }" }
            return """
                tls:
                  certificates:
                \(pairs.joined(separator: "\n"))
                http:
                  routers: { app: { rule: "PathPrefix(`/`)", service: app, tls: true } }
                  services: { app: { loadBalancer: { servers: [{ url: "BACKEND" }] } } }

                """
        }

        /// The names of the certificate that a name is served with.
        private static func names(_ fleet: TLSFleet, _ name: String, _ folder: String) throws -> [String]? {
            var connection = fleet.connection(name)
            connection.authority = "\(folder)/\(name.dropFirst().prefix { $0 != "." }).pem"
            return try TLSClient.run([connection])[0].names
        }

        @Test(
            "10,000 certificates are read at the start and again when one is added, within seconds",
            .enabled(if: python != nil, "SKIPPED: no cryptography: pip install it, LIMPET_TEST_PYTHON names its Python")
        )
        func many() async throws {
            let python = try #require(Self.python)
            let count = 10_000
            try await Threads.run {
                let folder = TemporaryFile.path()
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let issued = try CommandOutcome(
                    running: [python, "-c", Self.issuing, folder, "\(count + 1)"], within: 120)
                try #require(issued.end == .exited(0), "\(issued.errors)")
                for number in [1, count] {
                    let begin = ContinuousClock.now
                    try withTLSFleet(TLSFleet(Self.dynamic(folder, 0..<number))) { fleet in
                        let started = (ContinuousClock.now - begin) / .seconds(1)
                        let pid = fleet.replicas[0].process.pid
                        let before = try ProcessStatus(pid)
                        let text = Self.dynamic(folder, 0..<number + 1)
                            .replacingOccurrences(of: "BACKEND", with: "http://127.0.0.1:\(fleet.backend.port)")
                        try TextFile.write(text, to: "\(fleet.directory)/dynamic.new")
                        let changed = ContinuousClock.now
                        #expect(rename("\(fleet.directory)/dynamic.new", "\(fleet.directory)/dynamic.yml") == 0)
                        let name = "n\(number).example"
                        let isServed = Waiting.until(within: 60) { (try? Self.names(fleet, name, folder)) == [name] }
                        #expect(isServed)
                        let reloaded = (ContinuousClock.now - changed) / .seconds(1)
                        #expect(try Self.names(fleet, "n0.example", folder) == ["n0.example"])
                        let after = try ProcessStatus(pid)
                        print(
                            """
                            \(number) certificates: ready after \(started) s with backend and authority, \
                            \(before.resident >> 20) MiB; one more served after \(reloaded) s, \(after.resident >> 20) MiB, \
                            \(after.peak >> 20) MiB at most, \(after.cpu - before.cpu) s of CPU time
                            """)
                        #expect(reloaded < 20)
                    }
                }
            }
        }
    }
}
