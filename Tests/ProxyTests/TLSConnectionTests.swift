import Foundation
import LimpetTestKit
import NIOCore
import Routing
import TLS
import Testing

@testable import Proxy

@Suite("Connections with TLS", .serialized)
struct TLSConnectionTests {
    private static func options(_ change: (inout ProxyHarness.Options) -> Void) -> ProxyHarness.Options {
        var options = ProxyHarness.Options()
        change(&options)
        return options
    }

    /// A backend that answers with the head it got.
    private static func mirror() throws -> ScriptedBackend {
        try ScriptedBackend { connection, _ in
            while true { try connection.send(ok(try connection.receive(until: "\r\n\r\n"))) }
        }
    }

    /// A data plane in front of a mirror, with these certificates.
    private static func withTLS(
        _ tls: TLSServing, _ change: (inout ProxyHarness.Options) -> Void = { _ in },
        _ body: (ProxyHarness) async throws -> Void
    ) async throws {
        let backend = try mirror()
        defer { backend.close() }
        var options = options(change)
        options.tls = tls
        try await withProxy(to: [backend.port], options, body)
    }

    private static func connection(_ proxy: ProxyHarness, _ name: String?, version: String? = nil)
        -> TLSClient.Connection
    {
        TLSClient.Connection(port: proxy.port, serverName: name, version: version)
    }

    @Test("carry requests in TLS 1.2 and 1.3; the backend is told so, and the cookie is for TLS alone")
    func served() async throws {
        let served = try TLSServed("DNS:shop.example")
        try await Self.withTLS(served.serving()) { proxy in
            var connections = ["TLSv1_2", "TLSv1_3"].map { Self.connection(proxy, "shop.example", version: $0) }
            for index in 0..<2 { connections[index].authority = served.authority.root.certificate }
            let outcomes = try TLSClient.run(connections)
            #expect(outcomes.map(\.version) == ["TLSv1.2", "TLSv1.3"])
            #expect(
                outcomes[0].cipher?.hasPrefix("ECDHE-ECDSA-") == true && outcomes[1].cipher?.hasPrefix("TLS_") == true)
            for outcome in outcomes {
                #expect(outcome.status == 200 && outcome.endsClean == true && outcome.names == ["shop.example"])
                let head = outcome.body?.fieldLines ?? []
                #expect(head.contains("x-forwarded-proto: https") && head.contains("x-forwarded-port: 443"))
                #expect(
                    outcome.response?.fieldLines.contains {
                        $0.hasPrefix("set-cookie: limpet=") && $0.hasSuffix("; secure")
                    } == true)
            }
            let counters = try await proxy.counters().handshakes
            #expect(counters.completed.values.reduce(0, +) == 2 && counters.failed.isEmpty)
            #expect(Set(counters.completed.keys.map(\.version)) == [.tls12, .tls13])
        }
    }

    @Test("share their port with plain HTTP, told apart by the first byte; a plain cookie is for any connection")
    func plain() async throws {
        try await Self.withTLS(TLSServed("DNS:shop.example").serving()) { proxy in
            let response = try proxy.exchange("GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
            #expect(response.hasPrefix("HTTP/1.1 200 ") && response.contains("X-Forwarded-Proto: http\r\n"))
            #expect(response.contains("X-Forwarded-Port: 80\r\n") && !response.contains("; Secure"))
            let dripping = try proxy.connect()
            for byte in "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".utf8 { try dripping.send([byte]) }
            #expect(String(decoding: try dripping.receiveAll(), as: UTF8.self).hasPrefix("HTTP/1.1 200 "))
            try await #expect(eventually { try await proxy.onLoop { $0.openClients } == 0 })
        }
    }

    @Test("that came without TLS are told so where TLS is needed")
    func plainRefused() async throws {
        try await Self.withTLS(TLSServed("DNS:shop.example").serving(), { $0.needsTLS = true }) { proxy in
            let response = try proxy.exchange("GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
            #expect(response.hasPrefix("HTTP/1.1 400 Bad Request\r\n") && response.contains("this port speaks HTTPS"))
            try await #expect(proxy.counters().refused[.plainHTTP] == 1)
            #expect(try TLSClient.run([Self.connection(proxy, "shop.example")])[0].status == 200)
        }
    }

    @Test("get the certificate of the name; none for a name that nothing covers, and never one that is invented")
    func names() async throws {
        let served = try TLSServed("DNS:shop.example", "DNS:*.shop.example", "DNS:default.test")
        let serving = served.serving(defaultCertificate: "DNS:default.test")
        func names(_ proxy: ProxyHarness, _ asked: [String?]) throws -> [[String]?] {
            try TLSClient.run(
                asked.map { name in
                    var connection = Self.connection(proxy, name)
                    connection.authority = served.authority.root.certificate
                    return connection
                }
            ).map(\.names)
        }
        try await Self.withTLS(serving) { proxy in
            try #expect(
                names(proxy, ["shop.example", "api.shop.example", "default.test", nil])
                    == [["shop.example"], ["*.shop.example"], ["default.test"], ["default.test"]])
        }
        var strict = TLSOptions()
        strict.sniStrict = true
        for tls in [served.serving(), served.serving([strict], defaultCertificate: "DNS:default.test")] {
            try await Self.withTLS(tls) { proxy in
                let outcomes = try TLSClient.run([Self.connection(proxy, "other.test"), Self.connection(proxy, nil)])
                #expect(outcomes.allSatisfy { $0.error?.contains("UNRECOGNIZED_NAME") == true }, "\(outcomes)")
                try await #expect(proxy.counters().handshakes.failed == [.unrecognizedName: 2])
            }
        }
    }

    @Test("fail with a reason that is counted")
    func failures() async throws {
        var strict = TLSOptions()
        strict.minVersion = .tls13
        let served = try TLSServed("DNS:shop.example")
        try await Self.withTLS(served.serving([strict])) { proxy in
            let old = try TLSClient.run([Self.connection(proxy, "shop.example", version: "TLSv1_2")])[0]
            #expect(old.error?.contains("PROTOCOL_VERSION") == true)
            let sslv2 = try proxy.connect()
            try sslv2.send([0x80, 0x2E, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10])
            #expect(try sslv2.receiveAll() == [0x15, 3, 1, 0, 2, 2, 70])
            let garbage = try proxy.connect()
            try garbage.send([0x16, 3, 1, 0, 4, 9, 9, 9, 9])
            #expect(try garbage.receiveAll() == [0x15, 3, 1, 0, 2, 2, 50])
            let large = try proxy.connect()
            try large.send([0x16, 3, 1, 0x40, 0, 1, 1, 0, 1] + [UInt8](repeating: 0, count: 16 << 10))
            #expect(try large.receiveAll() == [0x15, 3, 1, 0, 2, 2, 50])
            try await #expect(
                eventually { try await proxy.counters().handshakes.failed == [.version: 1, .sslv2: 1, .malformed: 2] })
        }
        try await Self.withTLS(served.serving()) { proxy in
            var suspicious = Self.connection(proxy, "other.example")
            suspicious.serverName = "shop.example"
            let other = try TestAuthority(in: TemporaryFile.path())
            suspicious.authority = other.root.certificate
            #expect(try TLSClient.run([suspicious])[0].error?.contains("certificate verify failed") == true)
            var poor = Self.connection(proxy, "shop.example", version: "TLSv1_2")
            poor.ciphers = "AES128-GCM-SHA256"
            #expect(try TLSClient.run([poor])[0].error?.contains("HANDSHAKE_FAILURE") == true)
            let isCounted = try await eventually {
                try await proxy.counters().handshakes.failed == [.refusedByClient: 1, .parameters: 1]
            }
            let failed = try await proxy.counters().handshakes.failed
            #expect(isCounted, "\(failed)")
        }
    }

    @Test("have a time by which the handshake must be over, and a number of unfinished ones for each source")
    func handshakeLimits() async throws {
        let limit: (inout ProxyHarness.Options) -> Void = {
            $0.limits.handshakeTimeout = .milliseconds(300)
            $0.limits.handshakesPerSource = 3
        }
        // With a curve and a signature, the least that a server of TLS 1.2 answers.
        let extensions: [UInt8] =
            ClientHelloBytes.serverName("shop.example") + [0, 10, 0, 4, 0, 2, 0, 0x17, 0, 13, 0, 4, 0, 2, 4, 3]
        let hello = ClientHelloBytes.records(ClientHelloBytes.message(extensions: extensions))
        try await Self.withTLS(TLSServed("DNS:shop.example").serving(), limit) { proxy in
            let silent = try (0..<3).map { _ in try proxy.connect() }
            for client in silent { try client.send(hello) }
            let refused = try proxy.connect()
            try refused.send(hello)
            #expect(try refused.receiveAll().isEmpty)
            for client in silent { #expect(try client.receiveAll().first == 0x16) }
            try await #expect(proxy.counters().handshakes.failed == [.timeout: 3, .limit: 1])
            let idle = try proxy.connect()
            #expect(try idle.receiveAll().isEmpty)
            try await #expect(proxy.counters().handshakes.failed == [.timeout: 3, .limit: 1])
            #expect(try TLSClient.run([Self.connection(proxy, "shop.example")])[0].status == 200)
        }
    }

    @Test("whose host has other TLS options than their name are answered 421; their own host is served")
    func misdirected() async throws {
        let served = try TLSServed("DNS:shop.example", "DNS:secret.example")
        let authority = try #require(
            try ServerCertificate.authorities(served.authority.root.certificateBytes).first)
        var mutual = TLSOptions(name: "mutual")
        mutual.clientAuth = .requireAndVerify
        mutual.clientAuthorities = [authority]
        let tls = served.serving([TLSOptions(), mutual], hosts: ["secret.example": 1])
        let pair = try served.authority.issue("client", "DNS:client.example", subject: "/O=Customers/CN=client 1")
        try await Self.withTLS(tls) { proxy in
            func request(_ host: String) -> String { "GET / HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n" }
            var open = Self.connection(proxy, "shop.example")
            open.request = request("Secret.example:443")
            var bare = Self.connection(proxy, "secret.example", version: "TLSv1_2")
            bare.request = request("secret.example")
            var known = Self.connection(proxy, "secret.example")
            (known.certificate, known.key) = (pair.certificate, pair.key)
            known.request = request("secret.example")
            var crossed = known
            crossed.request = request("shop.example")
            let outcomes = try TLSClient.run([open, bare, known, crossed])
            #expect(outcomes.map(\.status) == [421, nil, 200, 421], "\(outcomes)")
            try await #expect(
                eventually { try await proxy.counters().handshakes.failed == [.clientCertificate: 1] })
        }
    }

    @Test(
        "of clients that must have a certificate, whoever issued it, or may have one",
        arguments: ["TLSv1_2", "TLSv1_3"])
    func clientCertificates(_ version: String) async throws {
        let served = try TLSServed("DNS:shop.example")
        let stranger = try TestAuthority(in: TemporaryFile.path(), name: "Stranger")
        let own = try served.authority.issue("own", "DNS:own.example")
        let foreign = try stranger.issue("foreign", "DNS:foreign.example")
        let authority = try #require(
            try ServerCertificate.authorities(served.authority.root.certificateBytes).first)
        let expected: [(TLSOptions.ClientAuth, [Int?])] = [
            (.none, [200, 200, 200]), (.request, [200, 200, 200]), (.requireAny, [nil, 200, 200]),
            (.verifyIfGiven, [200, 200, nil]), (.requireAndVerify, [nil, 200, nil]),
        ]
        for (auth, statuses) in expected {
            var options = TLSOptions()
            options.clientAuth = auth
            options.clientAuthorities = auth.isVerifying ? [authority] : []
            try await Self.withTLS(served.serving([options])) { proxy in
                let found = try [nil, own, foreign].map { pair -> Int? in
                    var connection = Self.connection(proxy, "shop.example", version: version)
                    (connection.certificate, connection.key) = (pair?.certificate, pair?.key)
                    return try TLSClient.run([connection])[0].status
                }
                #expect(found == statuses, "\(auth)")
            }
        }
    }

    @Test("are passed on to the backend with their certificate, and what a client says of itself is not")
    func passedOn() async throws {
        let served = try TLSServed("DNS:shop.example")
        let pair = try served.authority.issue(
            "client", "DNS:client.example,URI:spiffe://x/y", subject: "/C=DE/O=A B/OU=Unit/CN=client 1")
        var options = TLSOptions()
        options.clientAuth = .request
        var info = PassTLSClientCert.Info()
        (info.subject, info.issuer, info.sans) = (["C", "O", "CN"], ["CN"], true)
        (info.notBefore, info.notAfter, info.serialNumber) = (true, true, true)
        let middlewares = [Middleware.passTLSClientCert(PassTLSClientCert(pem: true, info: info))]
        // The client is trusted with forwarding fields, and with these not.
        let trusted = [try AddressRange("127.0.0.0/8")]
        let change: (inout ProxyHarness.Options) -> Void = {
            $0.middlewares = middlewares
            $0.trusted = trusted
        }
        try await Self.withTLS(served.serving([options]), change) { proxy in
            var known = Self.connection(proxy, "shop.example")
            (known.certificate, known.key) = (pair.certificate, pair.key)
            var forging = Self.connection(proxy, "shop.example")
            forging.request =
                "GET / HTTP/1.1\r\nHost: shop.example\r\nx-forwarded-tls-client-cert: forged\r\n"
                + "X-Forwarded-Tls-Client-Cert-Info: forged\r\nConnection: close\r\n\r\n"
            let outcomes = try TLSClient.run([known, forging])
            let lines = outcomes[0].body?.components(separatedBy: "\r\n") ?? []
            let certificate = String(decoding: pair.certificateBytes, as: UTF8.self)
                .components(separatedBy: "\n").filter { !$0.hasPrefix("-----") }.joined()
            #expect(lines.contains("X-Forwarded-Tls-Client-Cert: \(certificate)"))
            let facts = try ServerCertificate(chain: pair.certificateBytes, key: pair.keyBytes).facts
            let subject = "Subject%3D%22C%3DDE%2CO%3DA+B%2CCN%3Dclient+1%22%3BIssuer%3D%22CN%3DTest+Authority%22"
            let times = "%3BNB%3D%22\(facts.notBefore)%22%3BNA%3D%22\(facts.notAfter)%22"
            let line = try #require(lines.first { $0.hasPrefix("X-Forwarded-Tls-Client-Cert-Info: ") })
            #expect(line.contains("Info: \(subject)%3BSerialNumber%3D%22"))
            #expect(line.hasSuffix("\(times)%3BSAN%3D%22client.example%2Cspiffe%3A%2F%2Fx%2Fy%22"))
            #expect(outcomes[1].status == 200 && outcomes[1].body?.contains("forged") == false)
        }
    }

    @Test("that end without a word in the middle of a body are cut, and those that end after it are answered")
    func cut() async throws {
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "body")
            try connection.send(ok("taken"))
        }
        defer { backend.close() }
        let tls = try TLSServed("DNS:shop.example").serving()
        try await withProxy(to: [backend.port], Self.options { $0.tls = tls }) { proxy in
            var whole = Self.connection(proxy, "shop.example")
            whole.request = "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 4\r\n\r\nbody"
            whole.closesFirst = false
            var cut = whole
            cut.request = String(whole.request.dropLast(2))
            cut.isAbrupt = true
            whole.request = whole.request.replacingOccurrences(of: "\r\n\r\n", with: "\r\nConnection: close\r\n\r\n")
            let outcomes = try TLSClient.run([whole, cut])
            #expect(outcomes[0].body == "taken" && outcomes[0].endsClean == true)
            try await #expect(
                eventually {
                    let inFlight = try await proxy.counters().requestsInFlight
                    let open = try await proxy.onLoop { $0.openClients }
                    return inFlight == 0 && open == 0
                })
        }
    }

    @Test("do not end a response that is cut as if it were complete")
    func cutResponse() async throws {
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            connection.close()
        }
        defer { backend.close() }
        let tls = try TLSServed("DNS:shop.example").serving()
        try await withProxy(to: [backend.port], Self.options { $0.tls = tls }) { proxy in
            let outcome = try TLSClient.run([Self.connection(proxy, "shop.example")])[0]
            #expect(outcome.endsClean != true && outcome.status == 200, "\(outcome)")
        }
    }

    @Test("carry large bodies whole, and hold the backend back for a client that reads slowly")
    func large() async throws {
        let size = 8 << 20
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            for _ in 0..<(size >> 16) { try connection.send([UInt8](repeating: 0x61, count: 1 << 16)) }
        }
        defer { backend.close() }
        let tls = try TLSServed("DNS:shop.example").serving()
        try await withProxy(to: [backend.port], Self.options { $0.tls = tls }) { proxy in
            let outcomes = try TLSClient.run([
                Self.connection(proxy, "shop.example"), Self.connection(proxy, "shop.example"),
            ])
            #expect(outcomes.map { $0.body?.utf8.count } == [size, size])
        }
    }

    @Test("speak HTTP/1.1 with a cipher suite that HTTP/2 prohibits, though both sides have HTTP/2")
    func prohibitedSuite() async throws {
        var options = TLSOptions()
        options.cipherSuites = [.ecdsaAES128GCM, .ecdsaAES128CBC]
        try await Self.withTLS(TLSServed("DNS:shop.example").serving([options])) { proxy in
            let cases: [(ciphers: String?, version: String?, protocols: [String], agreed: String?)] = [
                ("ECDHE-ECDSA-AES128-SHA", "TLSv1_2", ["h2", "http/1.1"], "http/1.1"),
                ("ECDHE-ECDSA-AES128-SHA", "TLSv1_2", ["x", "http/1.1", "h2"], "http/1.1"),
                ("ECDHE-ECDSA-AES128-SHA", "TLSv1_2", ["h2"], nil), ("ECDHE-ECDSA-AES128-SHA", "TLSv1_2", ["h3"], nil),
                ("ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1_2", ["h2", "http/1.1"], "http/1.1"),
                ("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA", "TLSv1_2", ["h2", "http/1.1"], "h2"),
                (nil, "TLSv1_3", ["h2", "http/1.1"], "h2"), (nil, nil, ["http/1.1", "h2"], "h2"),
                (nil, nil, ["http/1.1"], "http/1.1"), (nil, nil, [], nil),
            ]
            let outcomes = try TLSClient.run(
                cases.map { one in
                    var connection = Self.connection(proxy, "shop.example", version: one.version)
                    (connection.ciphers, connection.protocols) = (one.ciphers, one.protocols)
                    return connection
                })
            #expect(outcomes.map(\.negotiated) == cases.map(\.agreed), "\(outcomes)")
            for (one, outcome) in zip(cases, outcomes) where one.agreed != "h2" {
                #expect(outcome.status == 200, "\(one): \(outcome)")
            }
        }
    }

    @Test("get Strict-Transport-Security where it is configured; others only if that is forced")
    func strictTransport() async throws {
        for isForced in [false, true] {
            let strict = StrictTransport(
                seconds: 31_536_000, includesSubdomains: !isForced, isPreloaded: !isForced, isForced: isForced)
            let change: (inout ProxyHarness.Options) -> Void = {
                $0.middlewares = [.headers(HeaderEdits(strictTransport: strict))]
            }
            try await Self.withTLS(TLSServed("DNS:shop.example").serving(), change) { proxy in
                let secure = try TLSClient.run([Self.connection(proxy, "shop.example")])[0].response ?? ""
                let value = isForced ? "max-age=31536000" : "max-age=31536000; includeSubDomains; preload"
                #expect(secure.contains("\r\nStrict-Transport-Security: \(value)\r\n"), "\(secure)")
                let plain = try proxy.exchange("GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
                #expect(plain.hasPrefix("HTTP/1.1 200 ") && plain.contains("Strict-Transport-Security") == isForced)
            }
        }
    }
}
