package import Affinity

/// Why a connection to a backend could not be made one with TLS.
package struct BackendTLSError: Error, Equatable {
    package let reason: Reason
    /// The same for health.
    package let failure: FailingReason
    /// For people, as in "the certificate is of an unknown authority".
    package let detail: String

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

    /// The server sent an alert (RFC 8446, section 6.2; RFC 6066, section 3).
    static func alert(_ alert: Int) -> Self {
        let detail =
            switch alert {
            case 42...46, 48, 116: "the server does not accept our certificate, or misses one (alert \(alert))"
            case 70: "the server speaks no version that we do (alert 70)"
            case 112: "the server has no certificate for this name (alert 112)"
            default: "the server sent the alert \(alert)"
            }
        return Self(.handshakeFailed, .handshakeFailed, detail)
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
