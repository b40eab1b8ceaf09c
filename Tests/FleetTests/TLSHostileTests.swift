import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("TLS clients that mean harm")
    struct TLSHostileTests {
        /// A curve and a signature, the least that a server of TLS 1.2 answers.
        private static let least: [UInt8] = [0, 10, 0, 4, 0, 2, 0, 0x17, 0, 13, 0, 4, 0, 2, 4, 3]

        private static func hello(_ name: String?, padding: Int = 0) -> [UInt8] {
            ClientHelloBytes.message(
                extensions: (name.map { ClientHelloBytes.serverName($0) } ?? []) + least, padding: padding)
        }

        /// What is answered before the connection ends, or the first record of a handshake.
        private static func answer(_ fleet: TLSFleet, _ bytes: [UInt8], pieces: Int? = nil) throws -> [UInt8] {
            let client = try TCPSocket(port: fleet.replicas[0].port)
            defer { client.close() }
            let size = pieces ?? bytes.count
            for start in stride(from: 0, to: bytes.count, by: size) {
                // The replica may close before it has taken everything.
                try? client.send(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            return try client.receive()
        }

        @Test("whatever comes in place of a ClientHello is answered with an alert, and counted")
        func malformed() async throws {
            let records = { @Sendable (message: [UInt8]) in ClientHelloBytes.records(message) }
            let whole = records(Self.hello("shop.example"))
            let cases: [(name: String, bytes: [UInt8], alert: UInt8, reason: String)] = [
                ("SSLv2", [0x80, 0x2E, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10], 70, "sslv2"),
                ("a record of more than 16 KiB", [0x16, 3, 1, 0x40, 1, 1], 50, "malformed"),
                ("a record of no bytes", [0x16, 3, 1, 0, 0], 50, "malformed"),
                ("another message", [0x16, 3, 1, 0, 4, 2, 0, 0, 0], 50, "malformed"),
                (
                    "records of a byte each", ClientHelloBytes.records(Self.hello("shop.example"), each: 1), 50,
                    "malformed"
                ),
                (
                    "more than 64 KiB", [0x16, 3, 1, 0x40, 0, 1, 1, 0, 1] + Array(repeating: 0, count: 16 << 10), 50,
                    "malformed"
                ),
                ("16 MiB", [0x16, 3, 1, 0, 4, 1, 0xFF, 0xFF, 0xFF], 50, "malformed"),
                ("extensions that are cut", Array(whole.dropLast(4)) + [9, 9, 9, 9], 50, "malformed"),
                ("no name", records(Self.hello(nil)), 112, "unrecognized_name"),
                ("an empty name", records(Self.hello("")), 112, "unrecognized_name"),
                ("an address", records(Self.hello("127.0.0.1")), 112, "unrecognized_name"),
                (
                    "a name that ends in it", records(Self.hello("shop.example\u{0}.evil.example")), 112,
                    "unrecognized_name"
                ),
                ("two labels for one wildcard", records(Self.hello("a.b.shop.example")), 112, "unrecognized_name"),
                (
                    "a long name", records(Self.hello(String(repeating: "a.", count: 500) + "shop.example")), 112,
                    "unrecognized_name"
                ),
                ("a name that is not ASCII", records(Self.hello("ｓhop.example")), 112, "unrecognized_name"),
            ]
            try await Threads.run {
                try withTLSFleet(TLSFleet(TLSFleet.dynamic)) { fleet in
                    var counts: [String: Int] = [:]
                    for one in cases {
                        let answer = try Self.answer(fleet, one.bytes)
                        let isAlert = answer.count == 7 && answer.first == 0x15 && answer.last == one.alert
                        #expect(isAlert, "\(one.name): \(answer.prefix(7))")
                        counts[one.reason, default: 0] += 1
                        let isCounted = try Waiting.until(within: 5) {
                            try fleet.failures(one.reason) == counts[one.reason]
                        }
                        #expect(isCounted, "\(one.name)")
                    }
                    for (bytes, pieces) in [
                        (whole, 1), (whole, 7), (records(Self.hello("Shop.EXAMPLE.")), 4096),
                        (ClientHelloBytes.records(Self.hello("shop.example"), each: 2), 4096),
                    ] {
                        #expect(try Self.answer(fleet, bytes, pieces: pieces).first == 0x16)
                    }
                    let cut = try TCPSocket(port: fleet.replicas[0].port)
                    try cut.send(Array(whole.dropLast()))
                    cut.closeOutput()
                    #expect(try cut.receiveAll().isEmpty)
                    #expect(try TLSClient.run([fleet.connection()])[0].status == 200)
                }
            }
        }

        @Test("a ClientHello of up to 16 KiB is served, a longer one is not")
        func large() async throws {
            try await Threads.run {
                try withTLSFleet(TLSFleet(TLSFleet.dynamic)) { fleet in
                    for (padding, isServed) in [
                        (4_000, true), (16_260, true), (16_300, false), (20_000, false), (65_300, false),
                    ] {
                        let bytes = ClientHelloBytes.records(Self.hello("shop.example", padding: padding))
                        let answer = try Self.answer(fleet, bytes)
                        #expect(answer.first == (isServed ? 0x16 : 0x15), "\(bytes.count) bytes: \(answer.prefix(7))")
                    }
                    #expect(try Waiting.until(within: 5) { try fleet.failures("malformed") == 3 })
                }
            }
        }

        @Test("thousands of handshakes that one source does not finish leave room for others, and end in time")
        func flood() async throws {
            try await Threads.run {
                try withTLSFleet(TLSFleet(TLSFleet.dynamic)) { fleet in
                    let hello = ClientHelloBytes.records(Self.hello("shop.example"))
                    let begin = ContinuousClock.now
                    let clients = try (0..<2000).map { _ in
                        let client = try TCPSocket(port: fleet.replicas[0].port)
                        try? client.send(hello)
                        return client
                    }
                    var other = fleet.connection()
                    other.source = "127.0.0.2"
                    #expect(try TLSClient.run([other])[0].status == 200)
                    #expect(try TLSClient.run([fleet.connection()])[0].status == nil)
                    let seconds = (ContinuousClock.now - begin) / .seconds(1)
                    let refused = try fleet.failures("limit")
                    // One more is that of the client that asked in vain.
                    #expect(refused == clients.count + 1 - 512 || seconds > 9, "\(refused) after \(seconds) s")
                    let areOver = try Waiting.until(within: 20) {
                        try fleet.failures("timeout") + fleet.failures("limit") == clients.count + 1
                    }
                    #expect(areOver, "\(refused) were refused")
                    #expect(try TLSClient.run([fleet.connection()])[0].status == 200)
                    let pid = fleet.replicas[0].process.pid
                    print("2,000 handshakes: \(try ProcessStatus(pid).peak >> 20) MiB at most")
                    clients.forEach { $0.close() }
                }
            }
        }

        @Test("a body whose TLS ends without a word is cut; a request that was whole before is answered")
        func truncated() async throws {
            try await Threads.run {
                try withTLSFleet(TLSFleet(TLSFleet.dynamic)) { fleet in
                    var whole = fleet.connection()
                    whole.request = "POST /whole HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 4\r\n\r\nbody"
                    var cut = whole
                    cut.request = "POST /cut HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 400\r\n\r\nbody"
                    whole.isAbrupt = true
                    cut.isAbrupt = true
                    _ = try TLSClient.run([whole, cut])
                    let path = "\(fleet.directory)/r0.access"
                    func line(_ target: String) -> Substring? {
                        ((try? TextFile.read(path)) ?? "").split(separator: "\n").first { $0.contains("\"\(target)\"") }
                    }
                    #expect(Waiting.until(within: 10) { line("/whole") != nil && line("/cut") != nil })
                    #expect(line("/whole")?.contains("\"Reason\"") == false, "\(line("/whole") ?? "")")
                    #expect(line("/cut")?.contains("\"Reason\":\"client_closed\"") == true, "\(line("/cut") ?? "")")
                    #expect(try Waiting.until(within: 5) { try fleet.backend.requestsInFlight() == 0 })
                }
            }
        }

        @Test("TLS at an entry point without TLS is a bad request, and harms nobody")
        func atPlain() async throws {
            let dynamic = """
                http:
                  routers: { app: { rule: "PathPrefix(`/`)", service: app } }
                  services: { app: { loadBalancer: { servers: [{ url: "BACKEND" }] } } }

                """
            try await Threads.run {
                try withTLSFleet(TLSFleet(dynamic)) { fleet in
                    let outcome = try TLSClient.run([fleet.connection()])[0]
                    #expect(outcome.status == nil && outcome.error != nil, "\(outcome)")
                    let answer = try Self.answer(fleet, ClientHelloBytes.records(Self.hello("shop.example")))
                    #expect(String(decoding: answer, as: UTF8.self).hasPrefix("HTTP/1.1 400 "), "\(answer)")
                    let request = HTTPRequest(fields: ["Connection": "close"])
                    #expect(try HTTPConnection(port: fleet.replicas[0].port).exchange(request).status == 200)
                }
            }
        }
    }
}
