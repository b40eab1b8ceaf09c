import Foundation
import LimpetTestKit
import Logging
import Synchronization
import TLS

@testable import Store

/// A Redis with TLS on a port, and without TLS on another one, with an authority of its own.
final class TLSRedis: Sendable {
    let authority: TestAuthority
    let server: RedisServer
    let port: Int
    /// What a client may show.
    let client: TestAuthority.Pair

    init(
        names: String = "IP:127.0.0.1,DNS:localhost", isExpired: Bool = false, demandsCertificates: Bool = false,
        protocols: String = "TLSv1.2 TLSv1.3"
    ) throws {
        authority = try TestAuthority(in: TemporaryFile.path())
        let own = try authority.issue("redis", names, isExpired: isExpired)
        client = try authority.issue("client", "DNS:limpet")
        port = try LoopbackPort.free()
        server = try RedisServer([
            "--tls-port", String(port), "--tls-cert-file", own.certificate, "--tls-key-file", own.key,
            "--tls-ca-cert-file", authority.root.certificate, "--tls-auth-clients", demandsCertificates ? "yes" : "no",
            "--tls-protocols", protocols,
        ])
    }

    func trusting() throws -> ClientTLSSettings {
        var settings = ClientTLSSettings()
        settings.authorities = try ServerCertificate.authorities(authority.root.certificateBytes)
        return settings
    }

    /// Settings of a store that connects to `host`.
    func settings(_ tls: ClientTLSSettings, host: String = "127.0.0.1") throws -> StoreSettings {
        var settings = try StoreSettings.patient(server)
        settings.endpoint = try RedisEndpoint("rediss://\(host):\(port)")
        settings.tls = .fixed(tls)
        return settings
    }
}

extension RedisTLS {
    /// Its files never change.
    static func fixed(_ settings: ClientTLSSettings) -> RedisTLS {
        RedisTLS(settings, logger: Logger(label: "test") { _ in LogLines().handler }) { settings }
    }
}
