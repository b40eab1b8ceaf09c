package import NIOSSL

/// A certificate with its chain and its key, read and found to fit each other. Nothing of it is written anywhere.
package struct ServerCertificate: Sendable {
    /// Why a pair of files cannot serve. Contains nothing of a key.
    package enum Fault: Error, Equatable, Sendable {
        case noCertificate
        case malformedCertificate
        case noKey
        case encryptedKey
        case malformedKey
        /// The key is that of no certificate in the file.
        case otherKey
        /// The key is that of a later certificate in the file: the server's own must come first.
        case wrongOrder
    }

    /// What the server's own certificate says.
    package let facts: CertificateFacts
    package let chain: [NIOSSLCertificate]
    package let key: NIOSSLPrivateKey

    /// - Parameters:
    ///   - chain: PEM: the server's certificate, then those of the authorities between it and a root.
    ///   - key: PEM, not encrypted: PKCS#8, or the older forms for RSA and EC.
    package init(chain: [UInt8], key: [UInt8]) throws(Fault) {
        self.chain = try Self.certificates(chain)
        guard let first = try? self.chain.first?.toDERBytes(), let facts = CertificateFacts(der: first) else {
            throw .malformedCertificate
        }
        self.facts = facts
        self.key = try Self.key(key)
        let fits = self.chain.firstIndex { Self.fits($0, self.key) }
        guard fits == 0 else { throw fits == nil ? .otherKey : .wrongOrder }
    }

    /// The DER form of every certificate in PEM text.
    package static func authorities(_ bytes: [UInt8]) throws(Fault) -> [[UInt8]] {
        let certificates = try certificates(bytes)
        let encoded = certificates.compactMap { try? $0.toDERBytes() }
        guard encoded.count == certificates.count else { throw .malformedCertificate }
        return encoded
    }

    private static func certificates(_ bytes: [UInt8]) throws(Fault) -> [NIOSSLCertificate] {
        guard bytes.contains("-----BEGIN CERTIFICATE-----".utf8) else { throw .noCertificate }
        do {
            return try NIOSSLCertificate.fromPEMBytes(bytes)
        } catch {
            throw .malformedCertificate
        }
    }

    private static func key(_ bytes: [UInt8]) throws(Fault) -> NIOSSLPrivateKey {
        guard bytes.contains("PRIVATE KEY-----".utf8) else { throw .noKey }
        // A library would ask for the passphrase on the terminal.
        guard !bytes.contains("-----BEGIN ENCRYPTED".utf8), !bytes.contains("Proc-Type: 4,ENCRYPTED".utf8) else {
            throw .encryptedKey
        }
        do {
            return try NIOSSLPrivateKey(bytes: bytes, format: .pem)
        } catch {
            throw .malformedKey
        }
    }

    private static func fits(_ certificate: NIOSSLCertificate, _ key: NIOSSLPrivateKey) -> Bool {
        let configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(certificate)], privateKey: .privateKey(key))
        return (try? NIOSSLContext(configuration: configuration)) != nil
    }
}

extension ServerCertificate: Equatable {
    package static func == (lhs: Self, rhs: Self) -> Bool { lhs.chain == rhs.chain && lhs.key == rhs.key }
}
