import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// Programs that people use, each with a TLS of its own.
    @Suite("TLS with real clients")
    struct TLSRealClientTests {
        private static let javaPath = ["/usr/bin/java", "/usr/local/bin/java"].first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
        private static let curlPath = "/usr/bin/curl"
        private static let hasCurl = FileManager.default.isExecutableFile(atPath: curlPath)

        /// A JDK's HttpClient that trusts one authority, and asks in rounds. Each round has connections of its own and
        /// the sessions of the earlier ones: a line with what each request was answered.
        private static let httpClient = """
            import java.io.FileInputStream;
            import java.net.URI;
            import java.net.http.*;
            import java.security.KeyStore;
            import java.security.cert.CertificateFactory;
            import javax.net.ssl.*;

            class Client {
                public static void main(String[] arguments) throws Exception {
                    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
                    store.load(null, null);
                    try (FileInputStream file = new FileInputStream(arguments[0])) {
                        var authority = CertificateFactory.getInstance("X.509").generateCertificate(file);
                        store.setCertificateEntry("authority", authority);
                    }
                    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
                    trust.init(store);
                    SSLContext context = SSLContext.getInstance("TLS");
                    context.init(null, trust.getTrustManagers(), null);
                    SSLParameters parameters = new SSLParameters();
                    parameters.setProtocols(new String[] {arguments[1]});
                    for (int round = 0; round < 3; round++) {
                        HttpClient client = HttpClient.newBuilder().sslContext(context).sslParameters(parameters).build();
                        for (int request = 0; request < 50; request++) {
                            HttpRequest.Builder builder = HttpRequest.newBuilder(new URI(arguments[2]));
                            if (request % 10 == 9) {
                                builder.POST(HttpRequest.BodyPublishers.ofString("x".repeat(100000)));
                            }
                            var answer = client.send(builder.build(), HttpResponse.BodyHandlers.ofString());
                            String body = answer.body().lines().filter(l -> l.startsWith("body: ")).findFirst().get();
                            System.out.println(answer.statusCode() + " " + answer.version() + " "
                                + answer.sslSession().get().getProtocol() + " " + body);
                        }
                    }
                }
            }
            """

        private static func curl(_ fleet: TLSFleet, _ options: [String], paths: [String] = ["/"]) throws
            -> CommandOutcome
        {
            let port = fleet.replicas[0].port
            return try CommandOutcome(
                running: [curlPath, "-sS", "-v", "--resolve", "shop.example:\(port):127.0.0.1"] + options
                    + paths.map { "https://shop.example:\(port)\($0)" })
        }

        @Test(
            "curl verifies the certificate, agrees on a version of HTTP by ALPN and keeps its connection",
            .enabled(if: hasCurl, "SKIPPED: there is no curl"), arguments: ["1.2", "1.3"], ["1.1", "2"])
        func curl(_ version: String, _ http: String) async throws {
            try await Threads.run {
                try withTLSFleet(TLSFleet(TLSFleet.dynamic)) { fleet in
                    let trusting = ["--cacert", fleet.authority.root.certificate]
                    let outcome = try Self.curl(
                        fleet,
                        trusting + [
                            "--http\(http)", "--tls-max", version, "--tlsv\(version)", "--data-binary",
                            "@\(fleet.certificate.certificate)",
                            "-w", "\\n%{http_code} %{http_version} %{num_connects} %{ssl_verify_result}\\n",
                        ], paths: ["/a", "/b", "/c"])
                    #expect(outcome.end == .exited(0), "\(outcome.errors)")
                    let lines = outcome.output.split(separator: "\n").map(String.init)
                    #expect(
                        lines.filter { $0.hasSuffix(" 0") && $0.hasPrefix("200 ") } == [
                            "200 \(http) 1 0", "200 \(http) 0 0", "200 \(http) 0 0",
                        ])
                    let size = fleet.certificate.certificateBytes.count
                    #expect(lines.count { $0 == "body: \(size) bytes" } == 3)
                    let agreed = http == "2" ? "h2" : "http/1.1"
                    #expect(outcome.errors.contains("ALPN: server accepted \(agreed)"), "\(outcome.errors)")
                    #expect(outcome.errors.contains("SSL connection using TLSv\(version) "), "\(outcome.errors)")
                    // Without the authority, with a version that is too old, by a name that nothing covers.
                    try #expect(Self.curl(fleet, []).end == .exited(60))
                    try #expect(Self.curl(fleet, trusting + ["--tls-max", "1.1"]).end == .exited(35))
                    let port = fleet.replicas[0].port
                    let other = try CommandOutcome(running: [
                        Self.curlPath, "-sS", "-k", "--resolve", "other.example:\(port):127.0.0.1",
                        "https://other.example:\(port)/",
                    ])
                    #expect(other.end == .exited(35) && other.errors.contains("unrecognized name"), "\(other.errors)")
                    for reason in ["refused_by_client", "protocol_version", "unrecognized_name"] {
                        // The client may be gone before the replica has read its alert.
                        #expect(try Waiting.until(within: 5) { try fleet.failures(reason) == 1 }, "\(reason)")
                    }
                }
            }
        }

        @Test(
            "openssl s_client resumes at one replica what it began at another, over a file",
            arguments: ["1.2", "1.3"])
        func openssl(_ version: String) async throws {
            try await Threads.run {
                let fleet = try TLSFleet(secrets: [TLSFleet.secret, TLSFleet.secret], TLSFleet.dynamic)
                try withTLSFleet(fleet) { fleet in
                    func say(to replica: Int, _ session: String) throws -> String {
                        let request = "GET / HTTP/1.1\\r\\nHost: shop.example\\r\\nConnection: close\\r\\n\\r\\n"
                        let client = """
                            printf '\(request)' | openssl s_client -connect 127.0.0.1:\(fleet.replicas[replica].port) \
                            -servername shop.example -CAfile \(fleet.authority.root.certificate) -verify_return_error \
                            -tls\(version.replacingOccurrences(of: ".", with: "_")) \(session) -ign_eof
                            """
                        let outcome = try CommandOutcome(running: ["/bin/sh", "-c", client])
                        #expect(outcome.output.contains("HTTP/1.1 200 OK"), "\(outcome.output)\(outcome.errors)")
                        #expect(outcome.output.contains("Verify return code: 0 (ok)"))
                        return outcome.output
                    }
                    let file = "\(fleet.directory)/session"
                    #expect(try say(to: 0, "-sess_out \(file)").contains("New, TLSv\(version), "))
                    for replica in [1, 0, 1] {
                        let said = try say(to: replica, "-sess_in \(file)")
                        #expect(said.contains("Reused, TLSv\(version), "), "\(said)")
                    }
                    #expect(try fleet.handshakes(version, isResumed: true, of: 1) == 2)
                    #expect(try fleet.handshakes(version, isResumed: false, of: 1) == 0)
                    #expect(try fleet.handshakes(version, isResumed: false, of: 0) == 1)
                }
            }
        }

        @Test(
            "a JDK's HttpClient keeps its connections, sends bodies, and resumes its session",
            .enabled(if: javaPath != nil, "SKIPPED: there is no java"), arguments: ["1.2", "1.3"])
        func java(_ version: String) async throws {
            try await Threads.run {
                try withTLSFleet(TLSFleet(TLSFleet.dynamic, names: "DNS:localhost")) { fleet in
                    let source = "\(fleet.directory)/Client.java"
                    try TextFile.write(Self.httpClient, to: source)
                    let outcome = try CommandOutcome(running: [
                        try #require(Self.javaPath), source, fleet.authority.root.certificate, "TLSv\(version)",
                        "https://localhost:\(fleet.replicas[0].port)/",
                    ])
                    try #require(outcome.end == .exited(0), "\(outcome.errors)")
                    let lines = outcome.output.split(separator: "\n").map(String.init)
                    #expect(lines.count == 150)
                    #expect(lines.count { $0 == "200 HTTP_2 TLSv\(version) body: 0 bytes" } == 135)
                    #expect(lines.count { $0 == "200 HTTP_2 TLSv\(version) body: 100000 bytes" } == 15)
                    #expect(try fleet.handshakes(version, isResumed: false) == 1)
                    #expect(try fleet.handshakes(version, isResumed: true) == 2)
                }
            }
        }
    }
}
