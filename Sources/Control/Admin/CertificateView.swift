import Configuration
import Proxy
import Synchronization
import TLS

/// A certificate as `/api/overview` shows it.
struct CertificateView: Encodable, Equatable, Sendable {
    /// As in `CN=shop.example.com,O=Shop`.
    var subject: String
    var issuer: String
    /// DNS names, addresses, mail addresses and URIs, as written in it.
    var names: [String]
    /// In hexadecimal.
    var serial: String
    var notBefore: String
    var notAfter: String
    var isDefault: Bool
    /// The file and the line.
    var origin: String

    /// All certificates of a configuration, in its order.
    static func all(of settings: TLSSettings) -> [CertificateView] {
        settings.certificates.enumerated().map { index, one in
            let facts = one.certificate.facts
            return CertificateView(
                subject: CertificateFacts.text(facts.subject), issuer: CertificateFacts.text(facts.issuer),
                names: facts.alternativeNames, serial: facts.serialText,
                notBefore: CertificateFacts.date(facts.notBefore),
                notAfter: CertificateFacts.date(facts.notAfter), isDefault: index == settings.defaultCertificate,
                origin: one.origin)
        }
    }
}

extension DataPlane {
    /// Those of the configuration in use.
    var certificates: [CertificateFacts] {
        current.withLock { $0.configuration.http.tls.certificates.map(\.certificate.facts) }
    }
}

extension MetricsSnapshot.Certificate {
    init(_ facts: CertificateFacts) {
        let common = facts.subject.last { $0.type == "CN" }?.value
        self.init(name: facts.hostNames.first ?? common ?? "", serial: facts.serialText)
    }
}
