import Affinity
import Crypto
import Foundation
import LimpetTestKit
import TLS
import Testing

@testable import Proxy

@Suite("Backends with TLS", .serialized)
struct BackendTLSTests {
    private static func options(_ change: (inout ProxyHarness.Options) -> Void) -> ProxyHarness.Options {
        var options = ProxyHarness.Options()
        change(&options)
        return options
    }

    /// A data plane whose backend is another one, with TLS.
    private static func withBackend(
        serving tls: TLSServing?, reached settings: BackendTLSSettings,
        _ change: (inout ProxyHarness.Options) -> Void = { _ in },
        _ body: (ProxyHarness) async throws -> Void
    ) async throws {
        let origin = try ScriptedBackend { connection, _ in
            while true { try connection.send(ok(try connection.receive(until: "\r\n\r\n"))) }
        }
        defer { origin.close() }
        let reached = try BackendTLS(settings)
        var front = options(change)
        front.backendTLS = reached
        try await withProxy(to: [origin.port], options { $0.tls = tls }) { backend in
            try await withProxy(to: [backend.port], front, body)
        }
    }

    private static let request = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"

    private static func authorities(_ authority: TestAuthority) throws -> [[UInt8]] {
        try ServerCertificate.authorities(authority.root.certificateBytes)
    }

    @Test("are verified by their address, or by the name that is configured, and asked for by it")
    func verified() async throws {
        let served = try TLSServed("IP:127.0.0.1,DNS:address.example", "DNS:shop.example")
        let tls = served.serving(defaultCertificate: "IP:127.0.0.1,DNS:address.example")
        var settings = BackendTLSSettings()
        settings.client.authorities = try Self.authorities(served.authority)
        for name in [nil, "shop.example"] {
            settings.client.serverName = name
            try await Self.withBackend(serving: tls, reached: settings) { proxy in
                for _ in 0..<3 {
                    let response = try proxy.exchange(Self.request)
                    #expect(response.hasPrefix("HTTP/1.1 200 ") && response.contains("X-Forwarded-Proto: https\r\n"))
                }
                try await #expect(proxy.counters().backendConnections == 1)
            }
        }
    }

    @Test("carry large bodies both ways, whatever the reads and writes of TLS")
    func large() async throws {
        let size = 4 << 20
        let origin = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            var received: [UInt8] = []
            while received.count < size {
                received += try connection.receive(upTo: min(size - received.count, 1 << 16))
            }
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            try connection.send(received.reversed())
        }
        defer { origin.close() }
        let served = try TLSServed("IP:127.0.0.1,DNS:a.example")
        let tls = served.serving(defaultCertificate: "IP:127.0.0.1,DNS:a.example")
        var settings = BackendTLSSettings()
        settings.client.authorities = try Self.authorities(served.authority)
        let reached = try BackendTLS(settings)
        try await withProxy(to: [origin.port], Self.options { $0.tls = tls }) { backend in
            try await withProxy(to: [backend.port], Self.options { $0.backendTLS = reached }) { proxy in
                let client = try proxy.connect()
                try client.send(
                    "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: \(size)\r\n\r\n")
                // No two pieces are alike, so that none can take another's place.
                let body = (0..<size).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }
                try client.send(body)
                _ = try client.receive(until: "\r\n\r\n")
                let response = try client.receiveAll()
                #expect(response.count == size && response.elementsEqual(body.reversed()))
            }
        }
    }

    @Test("that are not who they should be get no request, and the failure says why")
    func refused() async throws {
        let served = try TLSServed("IP:127.0.0.1,DNS:a.example")
        let right = try Self.authorities(served.authority)
        let tls = served.serving(defaultCertificate: "IP:127.0.0.1,DNS:a.example")
        let stranger = try TestAuthority(in: TemporaryFile.path(), name: "Stranger")
        var old = served.serving()
        let expired = try served.authority.issue("expired", "IP:127.0.0.1", isExpired: true)
        old = TLSServing(
            certificates: [try ServerCertificate(chain: expired.certificateBytes, key: expired.keyBytes)],
            defaultCertificate: 0, options: [], hostOptions: [.init()], ticketSecret: .init(size: .bits256))
        func settings(_ change: (inout BackendTLSSettings) -> Void) -> BackendTLSSettings {
            var settings = BackendTLSSettings()
            settings.client.authorities = right
            change(&settings)
            return settings
        }
        let foreign = try Self.authorities(stranger)
        let cases: [(TLSServing?, BackendTLSSettings, Reason, String)] = [
            (tls, settings { $0.client.authorities = foreign }, .certificateRefused, "unknown authority"),
            (old, settings { _ in }, .certificateRefused, "expired"),
            (tls, settings { $0.client.serverName = "other.example" }, .certificateRefused, "another name"),
            (tls, settings { $0.client.peerURI = "spiffe://x/y" }, .certificateRefused, "peerCertURI"),
            (nil, settings { _ in }, .handshakeFailed, "the answer was not TLS"),
        ]
        for (serving, settings, reason, detail) in cases {
            let log = RecordedExchanges()
            try await Self.withBackend(serving: serving, reached: settings, { $0.exchangeLog = log }) { proxy in
                let response = try proxy.exchange(Self.request)
                #expect(response.hasPrefix("HTTP/1.1 503 "), "\(detail)")
                let failures = try await proxy.counters().backendFailures["app"]?["b0"] ?? [:]
                #expect(Set(failures.keys) == [reason], "\(failures)")
                try await #expect(eventually { !log.all.isEmpty })
                #expect(log.all.first?.failedAttempt?.detail?.contains(detail) == true, "\(log.all)")
            }
        }
    }

    @Test("that choose HTTP/2 with a cipher suite that it prohibits get no request, and the failure says why")
    func prohibitedSuite() async throws {
        let folder = TemporaryFile.path()
        let authority = try TestAuthority(in: folder)
        var settings = BackendTLSSettings()
        settings.client.authorities = try Self.authorities(authority)
        let server = try OpenSSLServer(
            "back", authority.issue("back", "IP:127.0.0.1"), version: "tls1_2",
            ["-alpn", "h2,http/1.1", "-cipher", "ECDHE-ECDSA-AES128-SHA"], in: folder)
        defer { server.kill() }
        for isDisabled in [false, true] {
            settings.disablesHTTP2 = isDisabled
            let reached = try BackendTLS(settings)
            let log = RecordedExchanges()
            let options = Self.options {
                $0.backendTLS = reached
                $0.exchangeLog = log
            }
            try await withProxy(to: [server.port], options) { proxy in
                let response = try proxy.exchange(Self.request)
                #expect(response.hasPrefix(isDisabled ? "HTTP/1.1 200 " : "HTTP/1.1 503 "))
                try await #expect(eventually { !log.all.isEmpty })
                let failure = log.all.first?.failedAttempt
                #expect(failure?.reason == (isDisabled ? nil : .handshakeFailed))
                let suite = "chose HTTP/2 with TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, which HTTP/2 prohibits"
                #expect(failure?.detail?.contains(suite) ?? isDisabled, "\(failure as Any)")
            }
        }
    }

    @Test("that nobody verifies are reached; one that demands a certificate gets the configured one")
    func insecureAndMutual() async throws {
        let served = try TLSServed("DNS:other.example")
        var settings = BackendTLSSettings()
        settings.client.isInsecure = true
        try await Self.withBackend(
            serving: served.serving(defaultCertificate: "DNS:other.example"), reached: settings
        ) { proxy in
            let response = try proxy.exchange(Self.request)
            #expect(response.hasPrefix("HTTP/1.1 200 "))
        }
        let pair = try served.authority.issue("proxy", "DNS:proxy.example,URI:spiffe://limpet/proxy")
        settings.client.certificate = try ServerCertificate(chain: pair.certificateBytes, key: pair.keyBytes)
        var mutual = TLSOptions()
        mutual.clientAuth = .requireAndVerify
        mutual.clientAuthorities = try Self.authorities(served.authority)
        try await Self.withBackend(
            serving: served.serving([mutual], defaultCertificate: "DNS:other.example"), reached: settings
        ) { proxy in
            let response = try proxy.exchange(Self.request)
            #expect(response.hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test("are probed and checked over TLS: one whose certificate is refused stays down")
    func checks() async throws {
        let served = try TLSServed("IP:127.0.0.1,DNS:a.example")
        let tls = served.serving(defaultCertificate: "IP:127.0.0.1,DNS:a.example")
        var settings = BackendTLSSettings()
        settings.client.authorities = try Self.authorities(served.authority)
        var pace = CheckPace()
        pace.intervalMilliseconds = 100
        let check = HealthCheck(path: "/health", pace: pace)
        try await Self.withBackend(serving: tls, reached: settings, { $0.healthCheck = check }) { proxy in
            let isChecked = try await eventually {
                let hash = proxy.current[0].membership.backends[0].hash
                return proxy.health.isUp(0) && proxy.current[0].checkCounts(of: hash)?[.good] ?? 0 > 1
            }
            #expect(isChecked)
        }
        settings.client.authorities = try Self.authorities(TestAuthority(in: TemporaryFile.path(), name: "Stranger"))
        try await Self.withBackend(serving: tls, reached: settings, { $0.healthCheck = check }) { proxy in
            try await #expect(eventually { !proxy.health.isUp(0) })
            #expect(proxy.health.backends[0].failures == ["health check: certificate refused: unknown authority"])
        }
        let reached = try BackendTLS(settings)
        try await withProxy(to: [1], Self.options { $0.tls = tls }) { backend in
            try await withProxy(to: [backend.port], Self.options { $0.backendTLS = reached }) { proxy in
                let response = try proxy.exchange(Self.request)
                #expect(response.hasPrefix("HTTP/1.1 503 "))
                let refused = try await backend.counters().handshakes.failed.values.reduce(0, +)
                // Two probes of a backend that accepts connections, and whose certificate is still not accepted.
                try await #expect(
                    eventually { try await backend.counters().handshakes.failed.values.reduce(0, +) >= refused + 2 })
                #expect(!proxy.health.isUp(0))
            }
        }
    }

    @Test("are checked over TLS, or without, as the check's scheme says, and the reason of a failure says what it was")
    func checkScheme() async throws {
        let served = try TLSServed("IP:127.0.0.1,DNS:a.example")
        let tls = served.serving(defaultCertificate: "IP:127.0.0.1,DNS:a.example")
        var settings = BackendTLSSettings()
        settings.client.authorities = try Self.authorities(served.authority)
        let reached = try BackendTLS(settings)
        settings.client.authorities = try Self.authorities(TestAuthority(in: TemporaryFile.path(), name: "Stranger"))
        let stranger = try BackendTLS(settings)
        let origin = try ScriptedBackend { connection, _ in
            while true { try connection.send(ok(try connection.receive(until: "\r\n\r\n"))) }
        }
        defer { origin.close() }
        // Of something that is not TLS, too, it makes an answer.
        try await withProxy(to: [origin.port]) { plain in
            try await withProxy(to: [origin.port], Self.options { $0.tls = tls }) { secure in
                // What requests of the service go to, what its check says, and what is found.
                let cases: [(port: Int, backend: BackendTLS?, isSecure: Bool?, check: BackendTLS?, failure: String?)] =
                    [
                        (origin.port, nil, true, reached, nil), (origin.port, nil, true, stranger, "unknown authority"),
                        (secure.port, reached, nil, nil, nil), (secure.port, reached, true, nil, nil),
                        (secure.port, reached, false, nil, nil),
                        (secure.port, reached, nil, nil, "the answer was not TLS"),
                    ]
                for (index, one) in cases.enumerated() {
                    var pace = CheckPace()
                    pace.intervalMilliseconds = 100
                    let isPlain = one.isSecure == false || one.failure == "the answer was not TLS"
                    var check = HealthCheck(
                        path: "/health", port: isPlain ? plain.port : secure.port,
                        scheme: one.isSecure.map { $0 ? .https : .http }, pace: pace)
                    check.tls = one.check
                    let options = Self.options { [check] in
                        $0.healthCheck = check
                        $0.backendTLS = one.backend
                    }
                    try await withProxy(to: [one.port], options) { proxy in
                        let hash = proxy.current[0].membership.backends[0].hash
                        let outcome: CheckCounts.Outcome = one.failure == nil ? .good : .connection
                        let isFound = try await eventually {
                            proxy.current[0].checkCounts(of: hash)?[outcome] ?? 0 > 0
                        }
                        let failures = proxy.health.backends[0].failures
                        #expect(isFound && failures.count == (one.failure == nil ? 0 : 1), "case \(index): \(failures)")
                        #expect(one.failure.map { failures.first?.hasSuffix($0) == true } ?? true, "\(failures)")
                    }
                }
            }
        }
    }
}
