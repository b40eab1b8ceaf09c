import NIOSSL
package import TLS

extension TLSOptions {
    /// Why a certificate cannot serve under the options, though each is right by itself.
    package enum Misfit: Equatable, Sendable {
        /// No cipher suite signs with the certificate's key, and only TLS 1.2 is served.
        case noSuite
        /// The same, and TLS 1.3 is served: clients of TLS 1.2 are refused.
        case noSuiteBefore13
        /// The library refuses them; its words.
        case refused(String)
    }

    /// Nil: the certificate can serve under the options. Makes a context of the library: not for an event loop.
    package func misfit(with certificate: ServerCertificate) -> Misfit? {
        let suites = cipherSuites ?? CipherSuite.served
        if minVersion == .tls12, !suites.contains(where: { $0.keyKind == certificate.facts.keyKind }) {
            return maxVersion == .tls12 ? .noSuite : .noSuiteBefore13
        }
        do {
            let configuration = configuration(
                chain: certificate.chain.map { .certificate($0) }, key: certificate.key,
                authorities: try clientAuthorities.map { try NIOSSLCertificate(bytes: $0, format: .der) })
            _ = try NIOSSLContext(configuration: configuration)
            return nil
        } catch {
            return .refused("\(error)")
        }
    }
}

extension CipherSuite {
    /// The kind of key that signs the key exchange.
    fileprivate var keyKind: CertificateFacts.KeyKind { rawValue.hasPrefix("TLS_ECDHE_ECDSA_") ? .ecdsa : .rsa }
}
