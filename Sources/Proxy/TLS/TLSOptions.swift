import Crypto

/// The rules of TLS connections: `tls.options.<name>` in Traefik's language. A value without anything of a TLS library.
package struct TLSOptions: Equatable, Sendable {
    /// The name of the options that count where none are named.
    package static let defaultName = "default"

    /// Nothing older is served.
    package enum Version: String, CaseIterable, Comparable, Sendable {
        case tls12 = "VersionTLS12"
        case tls13 = "VersionTLS13"

        package static func < (lhs: Self, rhs: Self) -> Bool { lhs == .tls12 && rhs == .tls13 }
    }

    /// What is demanded of a client's certificate. The words are those of Go.
    package enum ClientAuth: String, CaseIterable, Sendable {
        case none = "NoClientCert"
        /// Asked for, and not verified.
        case request = "RequestClientCert"
        /// Demanded, and not verified.
        case requireAny = "RequireAnyClientCert"
        case verifyIfGiven = "VerifyClientCertIfGiven"
        case requireAndVerify = "RequireAndVerifyClientCert"

        /// Whether certificates are verified, which needs authorities.
        package var isVerifying: Bool { self == .verifyIfGiven || self == .requireAndVerify }
    }

    package var name: String
    package var minVersion = Version.tls12
    package var maxVersion = Version.tls13
    /// For TLS 1.2, where the client's order decides; nil: ``CipherSuite/served``. Those of TLS 1.3 cannot be chosen.
    package var cipherSuites: [CipherSuite]?
    /// In the order of preference; nil: X25519MLKEM768, X25519, P-256, P-384.
    package var curves: [KeyExchange]?
    package var clientAuth = ClientAuth.none
    /// The authorities that client certificates are verified against: each the DER form of a certificate.
    package var clientAuthorities: [[UInt8]] = []
    /// Refuse a name that no certificate covers, though there is a default certificate; and a client that names none.
    package var sniStrict = false
    /// In the order of preference; empty: nothing is negotiated.
    package var applicationProtocols = ["h2", "http/1.1"]
    package var issuesTickets = true

    package init(name: String = defaultName) {
        self.name = name
    }

    /// Whether HTTP/2 may be spoken with every suite that a client can get.
    var suitesFitHTTP2: Bool { minVersion == .tls13 || (cipherSuites ?? CipherSuite.served).allSatisfy(\.fitsHTTP2) }

    /// SHA-256 over everything but the name: 32 bytes. Equal for equal options, on every replica.
    package var fingerprint: [UInt8] {
        var hash = SHA256()
        func add(_ bytes: some Collection<UInt8>) {
            withUnsafeBytes(of: UInt64(bytes.count).bigEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: Array(bytes))
        }
        func add(_ texts: [String]?) {
            add((texts == nil ? "default" : "list").utf8)
            for text in texts ?? [] { add(text.utf8) }
        }
        add([minVersion.rawValue, maxVersion.rawValue, clientAuth.rawValue, "\(sniStrict)", "\(issuesTickets)"])
        add(cipherSuites.map { $0.map(\.rawValue) })
        add(curves.map { $0.map(\.rawValue) })
        add(applicationProtocols)
        for authority in clientAuthorities { add(authority) }
        return Array(hash.finalize())
    }
}

/// The cipher suites of TLS 1.2 that are served, by their names in the IANA registry.
package enum CipherSuite: String, CaseIterable, Sendable {
    case ecdsaAES128GCM = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    case rsaAES128GCM = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    case ecdsaAES256GCM = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
    case rsaAES256GCM = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
    case ecdsaChaCha20 = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    case rsaChaCha20 = "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
    case ecdsaAES128CBC = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"
    case rsaAES128CBC = "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"
    case ecdsaAES256CBC = "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"
    case rsaAES256CBC = "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"

    /// What is served where nothing is configured: the suites with forward secrecy and authenticated encryption.
    package static let served: [CipherSuite] = [
        .ecdsaAES128GCM, .rsaAES128GCM, .ecdsaAES256GCM, .rsaAES256GCM, .ecdsaChaCha20, .rsaChaCha20,
    ]

    /// Whether HTTP/2 does not prohibit it (RFC 9113, appendix A).
    var fitsHTTP2: Bool {
        switch self {
        case .ecdsaAES128GCM, .rsaAES128GCM, .ecdsaAES256GCM, .rsaAES256GCM, .ecdsaChaCha20, .rsaChaCha20: true
        case .ecdsaAES128CBC, .rsaAES128CBC, .ecdsaAES256CBC, .rsaAES256CBC: false
        }
    }
}

/// The groups of the key exchange, by the names that Go has for them.
package enum KeyExchange: String, CaseIterable, Sendable {
    case x25519MLKEM768 = "X25519MLKEM768"
    case x25519 = "X25519"
    case p256 = "CurveP256"
    case p384 = "CurveP384"
    case p521 = "CurveP521"
}
