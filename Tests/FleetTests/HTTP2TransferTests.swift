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

        /// What a client says of each of its transfers, on a line of its own: curl shows its progress beside.
        private struct Transfer {
            let target: String
            let version: String
            let status: String
            let seconds: Double

            static let format = "%{stderr}\\n= %{url_effective} %{http_version} %{http_code} %{time_total}\\n"

            init?(_ line: Substring) {
                let words = line.split(separator: " ")
                guard words.count == 5, words[0] == "=", let seconds = Double(words[4]) else { return nil }
                target = String(words[1].split(separator: "/").last ?? "")
                (version, status) = (String(words[2]), String(words[3]))
                self.seconds = seconds
            }
        }

        /// Downloads, and says the same as curl, which cannot do so over one connection without TLS.
        private static let httpx = """
            import asyncio, hashlib, sys, time
            import httpx

            async def main(origin):
                async with httpx.AsyncClient(http1=False, http2=True, timeout=120) as session:
                    def say(target, answer, begin):
                        seconds = time.monotonic() - begin
                        print("=", origin + target, answer.http_version[-1], answer.status_code, seconds, file=sys.stderr)
                    async def download():
                        begin, digest = time.monotonic(), hashlib.sha256()
                        async with session.stream("GET", origin + "/content") as answer:
                            async for piece in answer.aiter_raw(): digest.update(piece)
                        say("/content", answer, begin)
                        return digest.hexdigest()
                    async def later(number):
                        await asyncio.sleep(0.1)
                        begin = time.monotonic()
                        say("/later%d" % number, await session.get(origin + "/later%d" % number), begin)
                    print((await asyncio.gather(download(), *(later(number) for number in range(4))))[0])

            asyncio.run(main(sys.argv[1]))

            """

        /// The command that transfers something large, and four small answers beside it, but for an upload without TLS.
        ///
        /// - Parameter file: what is uploaded; nil: content is downloaded.
        private static func command(_ fleet: TLSFleet, _ scheme: String, file: String?) throws -> [String] {
            let port = fleet.replicas[0].port
            if scheme == "http", file == nil { return [try #require(python), "-c", httpx, "http://127.0.0.1:\(port)"] }
            let origin = "\(scheme)://shop.example:\(port)"
            let others = (0..<4).map { "-o /dev/null \(origin)/later\($0)" }.joined(separator: " ")
            let curl = """
                curl -sS \(scheme == "http" ? "--http2-prior-knowledge" : "-Z --http2") \
                --cacert \(fleet.authority.root.certificate) --resolve shop.example:\(port):127.0.0.1 \
                -w '\(Transfer.format)' \(file.map { "-T \($0)" } ?? "") -o - \(origin)/\(file == nil ? "content" : "upload") \
                \(scheme == "http" ? "" : others) | \(file == nil ? "sha256sum" : "cat")
                """
            return ["/bin/sh", "-c", curl]
        }

        /// The other answers do not wait for the large one. Returns the digest of what has arrived, at whichever end
        /// says it.
        private static func transfer(_ fleet: TLSFleet, _ scheme: String, file: String? = nil) throws -> String {
            let outcome = try CommandOutcome(running: command(fleet, scheme, file: file), within: 150)
            let transfers = outcome.errors.split(separator: "\n").compactMap { Transfer($0) }
            #expect(
                transfers.count == (scheme == "http" && file != nil ? 1 : 5)
                    && transfers.allSatisfy { $0.version == "2" && $0.status == "200" },
                "\(outcome.errors)")
            let large = transfers.first { !$0.target.hasPrefix("later") }?.seconds ?? 0
            for small in transfers where small.target.hasPrefix("later") {
                #expect(small.seconds < max(large / 2, 0.4), "\(outcome.errors)")
            }
            print("\(scheme) \(file == nil ? "down" : "up"): \(content.count >> 20) MiB in \(large) s")
            return String(outcome.output.prefix { $0 != " " && $0 != "\n" })
        }

        private static let python = PythonPeers.python(importing: "httpx, h2")

        @Test(
            "arrives whole in both directions, in bounded memory, and other streams of the connection are answered",
            .enabled(
                if: FileManager.default.isExecutableFile(atPath: "/usr/bin/curl") && python != nil,
                "SKIPPED: there is no curl, or no Python with httpx and h2"),
            arguments: ["http", "https"])
        func transfers(scheme: String) async throws {
            try await Threads.run {
                let backend = try Self.backend()
                defer { backend.close() }
                let server = "http://127.0.0.1:\(backend.port)"
                let fleet = try TLSFleet(Self.dynamic.replacingOccurrences(of: "SERVER", with: server))
                try withTLSFleet(fleet) { fleet in
                    let replica = fleet.replicas[0]
                    let before = try ProcessStatus(replica.process.pid).resident
                    let digest = Self.content.digest
                    try #expect(Self.transfer(fleet, scheme) == digest)
                    #expect(try replica.metric("limpet_http2_connections_total") == 1)
                    let file = "\(fleet.directory)/content"
                    try Self.content.write(to: file)
                    try #expect(Self.transfer(fleet, scheme, file: file) == digest)
                    #expect(try replica.metric("limpet_http2_connections_total") == 2)
                    let peak = try ProcessStatus(replica.process.pid).peak
                    print("\(scheme): \(before >> 10) KiB before, \(peak >> 10) KiB at most")
                    #expect(peak <= before + 32 << 20)
                    #expect(try !fleet.metrics().contains("limpet_http2_floods_total{"))
                }
            }
        }
    }
}
