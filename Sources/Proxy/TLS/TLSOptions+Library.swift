import NIOCore
import NIOSSL

extension TLSOptions {
    /// What NIOSSL makes of the options, for a server with this certificate.
    func configuration(
        chain: [NIOSSLCertificateSource], key: NIOSSLPrivateKey, authorities: [NIOSSLCertificate]
    ) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = minVersion == .tls12 ? .tlsv12 : .tlsv13
        configuration.maximumTLSVersion = maxVersion == .tls12 ? .tlsv12 : .tlsv13
        configuration.cipherSuiteValues = (cipherSuites ?? CipherSuite.served).map(\.library)
        configuration.curves = (curves ?? [.x25519MLKEM768, .x25519, .p256, .p384]).map(\.library)
        configuration.applicationProtocols = applicationProtocols
        configuration.renegotiationSupport = .none
        configuration.shutdownTimeout = .seconds(1)
        configuration.certificateVerification = clientAuth.library
        // The system's authorities are never asked: only those that are configured vouch for a client.
        configuration.trustRoots = .certificates(authorities)
        configuration.sendCANameList = clientAuth.isVerifying
        return configuration
    }
}

extension TLSOptions.ClientAuth {
    fileprivate var library: CertificateVerification {
        switch self {
        case .none: .none
        case .request, .verifyIfGiven: .optionalVerification
        case .requireAny, .requireAndVerify: .noHostnameVerification
        }
    }
}

extension CipherSuite {
    var library: NIOTLSCipher {
        switch self {
        case .ecdsaAES128GCM: .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        case .rsaAES128GCM: .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        case .ecdsaAES256GCM: .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        case .rsaAES256GCM: .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        case .ecdsaChaCha20: .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        case .rsaChaCha20: .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        case .ecdsaAES128CBC: .TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA
        case .rsaAES128CBC: .TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
        case .ecdsaAES256CBC: .TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA
        case .rsaAES256CBC: .TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA
        }
    }
}

extension KeyExchange {
    var library: NIOTLSCurve {
        switch self {
        case .x25519MLKEM768: .x25519_MLKEM768
        case .x25519: .x25519
        case .p256: .secp256r1
        case .p384: .secp384r1
        case .p521: .secp521r1
        }
    }
}
