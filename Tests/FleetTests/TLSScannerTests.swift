import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// What a scanner of TLS finds.
    @Suite("A scanner of TLS")
    struct TLSScannerTests {
        /// A Python that has sslyze.
        private static let python = PythonPeers.python(importing: "sslyze")

        private static let scans = [
            "sslv2", "sslv3", "tlsv1", "tlsv1_1", "tlsv1_2", "tlsv1_3", "compression", "reneg", "heartbleed", "robot",
            "openssl_ccs", "fallback", "early_data", "resum", "elliptic_curves",
        ]

        /// What is found weak in the results of the scans. Pure.
        private static func findings(_ results: [String: Any]) -> [String] {
            func value(_ scan: String, _ key: String) -> Any? {
                ((results[scan] as? [String: Any])?["result"] as? [String: Any])?[key]
            }
            func suites(_ version: String) -> [[String: Any]] {
                let accepted = value("\(version)_cipher_suites", "accepted_cipher_suites") as? [[String: Any]]
                return (accepted ?? [["missing": version]]).map { ($0["cipher_suite"] as? [String: Any]) ?? $0 }
            }
            var findings: [String] = []
            for version in ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"] where !suites(version).isEmpty {
                findings.append(version)
            }
            for suite in suites("tls_1_2") + suites("tls_1_3") {
                let name = suite["name"] as? String ?? "\(suite)"
                let isStrong =
                    (suite["key_size"] as? Int ?? 0) >= 128 && (suite["is_anonymous"] as? Bool) == false
                    && (name.hasSuffix("GCM_SHA256") || name.hasSuffix("GCM_SHA384")
                        || name.hasSuffix("POLY1305_SHA256"))
                    && (name.hasPrefix("TLS_ECDHE_") || !name.contains("_WITH_"))
                if !isStrong { findings.append(name) }
            }
            if suites("tls_1_2").isEmpty || suites("tls_1_3").isEmpty { findings.append("TLS is not served") }
            for (scan, key, wanted) in [
                ("tls_compression", "supports_compression", false),
                ("heartbleed", "is_vulnerable_to_heartbleed", false),
                ("openssl_ccs_injection", "is_vulnerable_to_ccs_injection", false),
                ("session_renegotiation", "is_vulnerable_to_client_renegotiation_dos", false),
                ("session_renegotiation", "supports_secure_renegotiation", true),
                ("tls_1_3_early_data", "supports_early_data", false),
                ("tls_fallback_scsv", "supports_fallback_scsv", true),
            ] where value(scan, key) as? Bool != wanted { findings.append("\(scan): \(key)") }
            let robot = value("robot", "robot_result") as? String ?? "missing"
            if !robot.hasPrefix("NOT_VULNERABLE") { findings.append("robot: \(robot)") }
            return findings
        }

        @Test(
            "finds no old version, no weak suite, no compression, renegotiation, early data or known attack",
            .enabled(if: python != nil, "SKIPPED: no sslyze: pip install sslyze, LIMPET_TEST_PYTHON names its Python"),
            arguments: [TestAuthority.Algorithm.p256, .rsa2048])
        func findsNothing(_ algorithm: TestAuthority.Algorithm) async throws {
            let python = try #require(Self.python)
            try await Threads.run {
                try withTLSFleet(TLSFleet(TLSFleet.dynamic, algorithm: algorithm)) { fleet in
                    let file = "\(fleet.directory)/scan.json"
                    let outcome = try CommandOutcome(
                        running: [python, "-m", "sslyze", "--mozilla_config", "disable", "--json_out", file]
                            + Self.scans.map { "--\($0)" } + ["shop.example:\(fleet.replicas[0].port){127.0.0.1}"])
                    try #require(outcome.end == .exited(0), "\(outcome.output)\(outcome.errors)")
                    let json = try JSONSerialization.jsonObject(with: Data(TextFile.read(file).utf8)) as? [String: Any]
                    let scan = (json?["server_scan_results"] as? [[String: Any]])?.first
                    let results = try #require(scan?["scan_result"] as? [String: Any])
                    #expect(Self.findings(results).isEmpty, "\(Self.findings(results))")
                    // It is also told what is there.
                    #expect(!Self.findings([:]).isEmpty)
                    #expect(try fleet.handshakes("1.3", isResumed: false) > 0)
                }
            }
        }
    }
}
