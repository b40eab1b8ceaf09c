import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// 100 MiB; a gibibyte with `LIMPET_LONG_TESTS`.
    @Suite("Large content over one stream of HTTP/2")
    struct HTTP2TransferTests {
        private static let isLong = ProcessInfo.processInfo.environment["LIMPET_LONG_TESTS"] != nil
        private static let content = PatternedContent(count: isLong ? 1 << 30 : 100 << 20)

        /// Sends the content at `/content`, answers `/later` after a tenth of a second, and says the digest of what is
        /// uploaded.
        private static func backend() throws -> ScriptedBackend {
            try ScriptedBackend { connection, _ in
                while true {
                    let head = try connection.receive(until: "\r\n\r\n")
                    if head.hasPrefix("GET /content") {
                        try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(content.count)\r\n\r\n")
                        try content.forEachPiece { try connection.send($0) }
                    } else {
                        if head.hasPrefix("GET /later") { Thread.sleep(forTimeInterval: 0.1) }
                        let length = head.lowercased().firstMatch(of: /content-length: (\d+)/)?.1
                        let body = try PatternedContent.digest(of: length.flatMap { Int($0) } ?? 0, from: connection)
                        try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
                    }
                }
            }
        }

        private static let dynamic = """
            tls: { certificates: [{ certFile: "DIR/served.pem", keyFile: "DIR/served.key" }] }
            http:
              routers:
                plain: { rule: "PathPrefix(`/`)", service: app }
                app: { rule: "PathPrefix(`/`)", service: app, tls: true }
              services: { app: { loadBalancer: { servers: [{ url: "SERVER" }] } } }

            """

        /// What curl says of each of its transfers, as `-w` has it below.
        private struct Transfer {
            let target: String
            let version: String
            let status: String
            let port: String
            let seconds: Double

            /// On lines of their own: curl shows its progress beside.
            static let format =
                "%{stderr}\\n= %{url_effective} %{http_version} %{http_code} %{local_port} %{time_total}\\n"

            init?(_ line: Substring) {
                let words = line.split(separator: " ")
                guard words.count == 6, words[0] == "=", let seconds = Double(words[5]) else { return nil }
                target = String(words[1].split(separator: "/").last ?? "")
                (version, status, port) = (String(words[2]), String(words[3]), String(words[4]))
                self.seconds = seconds
            }
        }

        /// Transfers something large, and four small answers beside it, which do not wait for it, over one connection.
        ///
        /// - Parameters:
        ///   - large: the arguments of curl for it, without its URL.
        ///   - target: its own.
        /// - Returns: the digest of what has arrived, at whichever end says it.
        private static func transfer(_ fleet: TLSFleet, _ scheme: String, _ target: String, _ large: String) throws
            -> String
        {
            let origin = "\(scheme)://shop.example:\(fleet.replicas[0].port)"
            let program = """
                curl -sS -Z --http2\(scheme == "http" ? "-prior-knowledge" : "") \
                --cacert \(fleet.authority.root.certificate) --resolve shop.example:\(fleet.replicas[0].port):127.0.0.1 \
                -w '\(Transfer.format)' \(large) \(origin)\(target) \
                \((0..<4).map { "-o /dev/null \(origin)/later\($0)" }.joined(separator: " ")) | RECEIVER
                """.replacing("RECEIVER", with: target == "/content" ? "sha256sum" : "cat")
            let outcome = try CommandOutcome(running: ["/bin/sh", "-c", program], within: 150)
            let transfers = outcome.errors.split(separator: "\n").compactMap { Transfer($0) }
            #expect(transfers.count == 5 && transfers.allSatisfy { $0.version == "2" && $0.status == "200" })
            #expect(Set(transfers.map(\.port)).count == 1, "one connection: \(outcome.errors)")
            let main = transfers.first { !$0.target.hasPrefix("later") }?.seconds ?? 0
            for small in transfers where small.target.hasPrefix("later") {
                #expect(small.seconds < max(main / 2, 0.3), "\(outcome.errors)")
            }
            print("\(scheme) \(target): \(content.count >> 20) MiB in \(main) s")
            return String(outcome.output.prefix { $0 != " " && $0 != "\n" })
        }

        @Test(
            "arrives whole in both directions, in bounded memory, and other streams of the connection are answered",
            .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/curl"), "SKIPPED: there is no curl"),
            arguments: ["http", "https"])
        func transfers(scheme: String) async throws {
            try await Threads.run {
                let backend = try Self.backend()
                defer { backend.close() }
                let server = "http://127.0.0.1:\(backend.port)"
                let fleet = try TLSFleet(Self.dynamic.replacingOccurrences(of: "SERVER", with: server))
                try withTLSFleet(fleet) { fleet in
                    let before = try ProcessStatus(fleet.replicas[0].process.pid).resident
                    let digest = Self.content.digest
                    try #expect(Self.transfer(fleet, scheme, "/content", "-o -") == digest)
                    let file = "\(fleet.directory)/content"
                    try Self.content.write(to: file)
                    try #expect(Self.transfer(fleet, scheme, "/upload", "-T \(file) -o -") == digest)
                    let peak = try ProcessStatus(fleet.replicas[0].process.pid).peak
                    print("\(scheme): \(before >> 10) KiB before, \(peak >> 10) KiB at most")
                    #expect(peak <= before + 32 << 20)
                    #expect(try !fleet.metrics().contains("limpet_http2_floods_total{"))
                }
            }
        }
    }
}
