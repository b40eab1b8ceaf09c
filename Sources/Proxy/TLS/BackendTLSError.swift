package import Affinity
import NIOSSL

/// Why a connection to a backend could not be made one with TLS.
package struct BackendTLSError: Error, Equatable {
    package let reason: Reason
    /// The same for health.
    package let failure: FailingReason
    /// For people, as in "the certificate is of an unknown authority".
    package let detail: String
    /// The server does not accept our certificate, or misses one.
    package private(set) var isOfOwnCertificate = false

    init(_ reason: Reason, _ failure: FailingReason, _ detail: String) {
        (self.reason, self.failure, self.detail) = (reason, failure, detail)
    }

    static let timedOut = Self(.connectTimeout, .connectTimedOut, "the TLS handshake timed out")
    static let ended = Self(.handshakeFailed, .handshakeFailed, "the connection ended during the TLS handshake")
    static let failed = Self(.handshakeFailed, .handshakeFailed, "the TLS handshake failed")
    static let notTLS = Self(.handshakeFailed, .notTLS, "the answer was not TLS")
    static let expired = Self(
        .certificateRefused, .certificateExpired, "the certificate has expired, or is not valid yet")
    static let unknownAuthority = Self(
        .certificateRefused, .certificateOfUnknownAuthority, "the certificate is of an unknown authority")
    static let otherName = Self(.certificateRefused, .certificateOfOtherName, "the certificate is for another name")
    static let otherURI = Self(
        .certificateRefused, .certificateRefused, "the certificate does not have the URI of peerCertURI")
    static let unreadable = Self(.certificateRefused, .certificateRefused, "the certificate cannot be read")
    static let invalid = Self(.certificateRefused, .certificateRefused, "the certificate is not valid")

    /// The server chose HTTP/2 with a cipher suite that HTTP/2 prohibits (RFC 9113, section 9.2.2).
    static func prohibited(suite: String) -> Self {
        Self(
            .handshakeFailed, .handshakeFailed,
            "the server chose HTTP/2 with \(suite), which HTTP/2 prohibits: it needs another suite, or disableHTTP2")
    }

    /// The server sent an alert (RFC 8446, section 6.2; RFC 6066, section 3).
    static func alert(_ alert: Int) -> Self {
        let isOfOwnCertificate = (42...46).contains(alert) || [48, 116].contains(alert)
        let detail =
            switch alert {
            case _ where isOfOwnCertificate:
                "the server does not accept our certificate, or misses one (alert \(alert))"
            // TLS 1.2 has no alert of its own for a certificate that is missing.
            case 40: "the server accepts nothing that we offer, or misses our certificate (alert 40)"
            case 70: "the server speaks no version that we do (alert 70)"
            case 112: "the server has no certificate for this name (alert 112)"
            default: "the server sent the alert \(alert)"
            }
        var error = Self(.handshakeFailed, .handshakeFailed, detail)
        error.isOfOwnCertificate = isOfOwnCertificate
        return error
    }

    /// In TLS 1.3 a server judges our certificate after the handshake is complete for us.
    ///
    /// - Parameter error: of a connection whose handshake is complete.
    /// - Returns: nil if the server has not said that it refuses our certificate, or misses one.
    package init?(afterHandshake error: any Error) {
        guard case BoringSSLError.sslError(let errors) = error,
            let alert = errors.lazy.compactMap(\.receivedAlert).first, case let refusal = Self.alert(alert),
            refusal.isOfOwnCertificate
        else { return nil }
        self = refusal
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
