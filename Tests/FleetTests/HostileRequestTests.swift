import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    /// Byte by byte through a real replica; what the parts do by themselves is in `HTTPWireTests` and `ProxyTests`.
    @Suite("Requests that mean harm")
    struct HostileRequestTests {
        /// The heads that a backend was sent.
        private final class Heads: Sendable {
            private let heads = Mutex<[String]>([])

            var count: Int { heads.withLock { $0.count } }

            func append(_ head: String) { heads.withLock { $0.append(head) } }

            /// The lines of each, in small letters.
            var lines: [[String]] {
                heads.withLock { $0.map { $0.components(separatedBy: "\r\n").map { $0.lowercased() } } }
            }
        }

        /// One replica before a backend that remembers the heads that it is sent.
        private static func with(
            _ change: (inout Fleet.Options) -> Void = { _ in },
            _ body: @escaping @Sendable (Fleet, Heads) throws -> Void
        ) async throws {
            let heads = Heads()
            let backend = try ScriptedBackend { connection, _ in
                while true {
                    heads.append(try connection.receive(until: "\r\n\r\n"))
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                }
            }
            defer { backend.close() }
            var options = Fleet.Options(replicas: 1, backends: 0, store: nil, hasAccessLog: true)
            options.ownBackends = [backend.port]
            change(&options)
            try await withFleet(options) { fleet in try await Threads.run { try body(fleet, heads) } }
        }

        /// The status that the bytes are answered with, over a connection of their own; nil: it was closed without one.
        private static func status(_ port: Int, _ bytes: [UInt8]) throws -> Int? {
            let client = try TCPSocket(port: port)
            // The replica may close before it has taken everything.
            try? client.send(bytes)
            let head = (try? client.receive(until: "\r\n\r\n")) ?? ""
            client.close()
            return head.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        }

        private static func status(_ port: Int, _ text: String) throws -> Int? { try status(port, Array(text.utf8)) }

        // MARK: Fields

        @Test(
            "what Connection names goes, however that is written, but nothing that frames, routes or says who it is",
            arguments: [
                "Connection: x-hop, x-forwarded-for, X-Real-IP, cookie, host\r\n",
                "CONNECTION: X-HOP, X-FORWARDED-FOR, X-REAL-IP, COOKIE, HOST\r\n",
                "connection:close,X-hOp\r\ncOnnection: x-Forwarded-Proto, X-Forwarded-Host\r\nConnection: Cookie\r\n",
                "Connection:\r\nConnection: x-hop\r\nConnection: x-forwarded-server, x-forwarded-port\r\n",
                "Connection: ,, \t x-hop \t,\r\nConnection: content-length, transfer-encoding, connection\r\n",
            ])
        func nominated(_ connection: String) async throws {
            try await Self.with { fleet, heads in
                let request = """
                    GET / HTTP/1.1\r\nHost: shop.test:81\r\n\(connection)X-Hop: 1\r\nx-hop: 2\r\nCookie: a=b\r\n\
                    X-Session-ID: s\r\nX-Forwarded-For: 6.6.6.6\r\nX-Real-Ip: 6.6.6.6\r\nKeep-Alive: timeout=9\r\n\
                    TE: trailers\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\nProxy-Connection: keep-alive\r\n\
                    Proxy-Authorization: Basic eA==\r\nProxy-Authenticate: x\r\nX-End: 3\r\n\r\n
                    """
                try #expect(Self.status(fleet.ports[0], request) == 200)
                #expect(
                    heads.lines == [
                        [
                            "get / http/1.1", "host: shop.test:81", "cookie: a=b", "x-session-id: s", "x-end: 3",
                            "x-forwarded-for: 127.0.0.1", "x-real-ip: 127.0.0.1", "x-forwarded-proto: http",
                            "x-forwarded-server: r0", "x-forwarded-port: 81", "x-forwarded-host: shop.test:81", "", "",
                        ]
                    ])
            }
        }

        @Test(
            "who the client is, an untrusted peer cannot say; a trusted one can, and is added",
            arguments: [false, true])
        func forwarded(isTrusted: Bool) async throws {
            try await Self.with {
                if isTrusted { $0.web = "forwardedHeaders: { trustedIPs: [127.0.0.0/8] }" }
            } _: { fleet, heads in
                let said = """
                    X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 6.6.6.7\r\nX-Forwarded-Proto: https\r\n\
                    X-Forwarded-Host: evil.test\r\nX-Forwarded-Port: 666\r\nX-Real-IP: 6.6.6.6\r\n\
                    Forwarded: for=6.6.6.6\r\n
                    """
                try #expect(Self.status(fleet.ports[0], "GET / HTTP/1.1\r\nHost: shop.test\r\n\(said)\r\n") == 200)
                let lines = try #require(heads.lines.first)
                if isTrusted {
                    for line in [
                        "x-forwarded-for: 6.6.6.6, 6.6.6.7, 127.0.0.1", "x-forwarded-proto: https",
                        "x-forwarded-host: evil.test", "x-forwarded-port: 666", "x-real-ip: 6.6.6.6",
                        "forwarded: for=6.6.6.6", "x-forwarded-server: r0",
                    ] {
                        #expect(lines.count { $0 == line } == 1, "\(line)")
                    }
                } else {
                    #expect(!lines.contains { $0.contains("6.6.6") || $0.contains("evil") || $0.contains("https") })
                    #expect(lines.count { $0.hasPrefix("x-forwarded-for:") } == 1)
                    #expect(lines.contains("x-forwarded-for: 127.0.0.1") && lines.contains("x-real-ip: 127.0.0.1"))
                }
                // A backend may take `_` for `-`.
                for alias in [
                    "X_Forwarded_For", "x_forwarded-for", "X-Forwarded_Proto", "X_FORWARDED_HOST", "X_Real_IP",
                    "x-real_ip", "X_Forwarded_Port",
                ] {
                    let request = "GET / HTTP/1.1\r\nHost: shop.test\r\n\(alias): 6.6.6.6\r\n\r\n"
                    try #expect(Self.status(fleet.ports[0], request) == 400, "\(alias)")
                }
                #expect(heads.count == 1)
            }
        }

        // MARK: Logs

        @Test("whatever a request contains, its exchange is one line of JSON, and so is every message of the log")
        func injection() async throws {
            try await Self.with {
                $0.log = "level: trace, format: json"
            } _: { fleet, _ in
                let evil: [[UInt8]] = [
                    Array("\u{1B}[2J".utf8), Array("\"},{\"a\":\"".utf8), Array("\u{2028}\u{2029}\u{85}".utf8),
                    [0xFF, 0xFE, 0xC0, 0xAF], Array("\\\"\\".utf8), [0xED, 0xA0, 0x80], Array("\u{202E}".utf8),
                    Array("\r\n{\"forged\":1}\r\n".utf8), Array("%0d%0a{\"forged\":1}".utf8), [0x00],
                    [0x0B, 0x0C, 0x7F],
                    Array("\n{\"forged\":1}\n".utf8),
                ]
                var count = 0
                for text in evil {
                    for (before, after) in [
                        ("GET /a", "b HTTP/1.1\r\nHost: h\r\n\r\n"), ("GET /?q=", " HTTP/1.1\r\nHost: h\r\n\r\n"),
                        ("GET / HTTP/1.1\r\nHost: h", "\r\n\r\n"),
                        ("GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: a", "b\r\n\r\n"),
                        ("GET / HTTP/1.1\r\nHost: h\r\nReferer: ", "\r\n\r\n"),
                        ("GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: ", "\r\n\r\n"),
                        ("GET / HTTP/1.1\r\nHost: h\r\nCookie: sid=", "\r\n\r\n"),
                        ("GE", "T / HTTP/1.1\r\nHost: h\r\n\r\n"),
                    ] {
                        let answer = try Self.status(fleet.ports[0], Array(before.utf8) + text + Array(after.utf8))
                        #expect(
                            answer == 200 || answer == 400 || answer == 404 || answer == 501, "\(text) in \(before)")
                        count += 1
                    }
                }
                let path = fleet.accessLog(of: 0)
                func lines(_ path: String) throws -> [Data] {
                    try Data(contentsOf: URL(fileURLWithPath: path)).split(separator: UInt8(ascii: "\n"))
                }
                // A request may be cut in two by what it contains: then each part has a line.
                try #expect(Waiting.until(within: 5) { try lines(path).count >= count })
                for line in try lines(path) + lines(fleet.replicas[0].process.errorPath) {
                    let text = try #require(String(validating: line, as: UTF8.self))
                    let object = try JSONSerialization.jsonObject(with: line) as? [String: Any]
                    #expect(object != nil && object?["forged"] == nil, "\(text)")
                    #expect(
                        !text.unicodeScalars.contains {
                            $0.value < 0x20 || (0x7F...0x9F).contains($0.value)
                                || [0x2028, 0x2029, 0x202E].contains($0.value)
                        }, "\(text)")
                }
            }
        }

        // MARK: Sizes

        @Test("heads that are too large are refused with the status that is documented, in bounded memory")
        func bombs() async throws {
            try await Self.with { fleet, heads in
                let get = "GET / HTTP/1.1\r\nHost: h\r\n"
                let long = { (count: Int) in String(repeating: "a", count: count) }
                let fields = { (count: Int) in String(repeating: "X: a\r\n", count: count - 1) }
                let bombs: [(name: String, request: String, status: Int)] = [
                    ("99 tiny fields", get + fields(99) + "\r\n", 200),
                    ("101 tiny fields", get + fields(101) + "\r\n", 431),
                    ("1,000 tiny fields", get + fields(1000) + "\r\n", 431),
                    ("100,000 tiny fields", get + fields(100_000) + "\r\n", 431),
                    ("a field of 64 KiB", get + "X: \(long(65536))\r\n\r\n", 431),
                    ("a field of 1 MiB", get + "X: \(long(1 << 20))\r\n\r\n", 431),
                    ("a name of 64 KiB", get + "\(long(65536)): x\r\n\r\n", 431),
                    ("a target of 64 KiB", "GET /\(long(65536)) HTTP/1.1\r\nHost: h\r\n\r\n", 414),
                    ("a method of 64 KiB", long(65536) + " / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
                    (
                        "4,096 cookies in a field",
                        get + "Cookie: \(Array(repeating: "a=b", count: 4096).joined(separator: "; "))\r\n\r\n", 431
                    ),
                    (
                        "4,096 fields of cookies",
                        get + String(repeating: "Cookie: a=b\r\n", count: 4096) + "\r\n", 431
                    ),
                    ("a cookie of 64 KiB", get + "Cookie: sid=\(long(65536))\r\n\r\n", 431),
                ]
                for bomb in bombs {
                    try #expect(Self.status(fleet.ports[0], bomb.request) == bomb.status, "\(bomb.name)")
                }
                let pid = fleet.replicas[0].process.pid
                let before = try ProcessStatus(pid)
                let clients = try (0..<32).map { _ in try TCPSocket(port: fleet.ports[0]) }
                for client in clients { try client.send(get + "X-Endless: ") }
                // Each goes on until the replica has had enough of it.
                let piece = [UInt8](repeating: UInt8(ascii: "a"), count: 16384)
                var sent = Array(repeating: 0, count: clients.count)
                for (index, client) in clients.enumerated() {
                    while sent[index] < 8 << 20, (try? client.send(piece)) != nil { sent[index] += piece.count }
                    let head = (try? client.receive(until: "\r\n\r\n")) ?? ""
                    #expect(head.hasPrefix("HTTP/1.1 431 "), "\(head)")
                    client.close()
                }
                let after = try ProcessStatus(pid)
                print("32 endless fields: \((after.peak - before.peak) / 1024) KiB more at the peak")
                #expect(after.peak - before.peak <= 8 << 20)
                try #expect(Self.status(fleet.ports[0], get + "\r\n") == 200)
                #expect(heads.count == 2, "what was refused went upstream")
            }
        }
    }
}
