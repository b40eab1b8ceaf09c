package import TLS

extension ServerCertificate.Fault {
    /// Whether it is the file of the key that must be another.
    package var isOfKey: Bool {
        switch self {
        case .noKey, .encryptedKey, .malformedKey, .otherKey: true
        case .noCertificate, .malformedCertificate, .wrongOrder: false
        }
    }

    /// What is wrong with the file, for people, as in "contains no private key in PEM form".
    package var words: String {
        switch self {
        case .noCertificate: "contains no certificate in PEM form"
        case .malformedCertificate: "contains a certificate that cannot be read"
        case .noKey: "contains no private key in PEM form"
        case .encryptedKey: "contains an encrypted key: decrypt it, with openssl pkey for one"
        case .malformedKey: "contains a private key that cannot be read"
        case .otherKey: "is the key of another certificate: name the one that this certificate was issued for"
        case .wrongOrder: "must begin with the certificate of the key, before its chain"
        }
    }
}
