import NIOSSL

/// Why a connection to a server could not be made one with TLS.
package enum ClientTLSError: Error, Hashable, Sendable {
    case timedOut
    /// The connection ended during the handshake.
    case ended
    case failed
    /// The server answered with something other than TLS.
    case notTLS
    /// Or not valid yet.
    case expired
    case unknownAuthority
    case otherName
    /// The certificate lacks the URI that is demanded.
    case otherURI
    case unreadable
    /// The certificate is refused for another reason.
    case invalid
    /// The server chose HTTP/2 with a cipher suite that HTTP/2 prohibits (RFC 9113, section 9.2.2).
    case prohibited(suite: String)
    /// The server sent this alert (RFC 8446, section 6.2; RFC 6066, section 3).
    case alert(Int)
    /// The library of TLS could not begin.
    case library(String)

    /// For people, as in "the certificate is of an unknown authority".
    package var detail: String {
        switch self {
        case .timedOut: "the TLS handshake timed out"
        case .ended: "the connection ended during the TLS handshake"
        case .failed: "the TLS handshake failed"
        case .notTLS: "the answer was not TLS"
        case .expired: "the certificate has expired, or is not valid yet"
        case .unknownAuthority: "the certificate is of an unknown authority"
        case .otherName: "the certificate is for another name"
        case .otherURI: "the certificate does not have the URI of peerCertURI"
        case .unreadable: "the certificate cannot be read"
        case .invalid: "the certificate is not valid"
        case .prohibited(let suite):
            "the server chose HTTP/2 with \(suite), which HTTP/2 prohibits: it needs another suite, or disableHTTP2"
        case .alert(let alert) where isOfOwnCertificate:
            "the server does not accept our certificate, or misses one (alert \(alert))"
        // TLS 1.2 has no alert of its own for a certificate that is missing.
        case .alert(40): "the server accepts nothing that we offer, or misses our certificate (alert 40)"
        case .alert(70): "the server speaks no version that we do (alert 70)"
        case .alert(112): "the server has no certificate for this name (alert 112)"
        case .alert(let alert): "the server sent the alert \(alert)"
        case .library(let reason): reason
        }
    }

    /// The server does not accept our certificate, or misses one.
    package var isOfOwnCertificate: Bool {
        guard case .alert(let alert) = self else { return false }
        return (42...46).contains(alert) || [48, 116].contains(alert)
    }

    /// In TLS 1.3 a server judges our certificate after the handshake is complete for us.
    ///
    /// - Parameter error: of a connection whose handshake is complete.
    /// - Returns: nil if the server has not said that it refuses our certificate, or misses one.
    package init?(afterHandshake error: any Error) {
        guard case BoringSSLError.sslError(let errors) = error,
            let alert = errors.lazy.compactMap(\.receivedAlert).first
        else { return nil }
        self = .alert(alert)
        guard isOfOwnCertificate else { return nil }
    }

    /// - Parameters:
    ///   - sent: the alert that we sent, which says what is wrong with the server's certificate; negative: none.
    ///   - isPlain: the library has read something that is not TLS.
    static func handshake(sent: Int, received: Int, isPlain: Bool) -> Self {
        switch sent {
        case 45: expired
        case 48: unknownAuthority
        case 42...46: invalid
        default: received >= 0 ? alert(received) : isPlain ? notTLS : failed
        }
    }
}

extension BoringSSLInternalError {
    /// The library's code of an alert is 1000 and its number; the code is nowhere but in the description.
    fileprivate var receivedAlert: Int? {
        let words = description.split(separator: " ")
        guard words.count > 1, let code = UInt32(words[1]), case let reason = Int(code & 0xFFF), reason >= 1000 else {
            return nil
        }
        return reason - 1000
    }
}
