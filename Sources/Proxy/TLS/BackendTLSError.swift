package import Affinity
import TLS

/// Why a connection to a backend could not be made one with TLS.
package struct BackendTLSError: Error, Equatable {
    package let reason: Reason
    /// The same for health.
    package let failure: FailingReason
    /// For people, as in "the certificate is of an unknown authority".
    package let detail: String

    init(_ error: ClientTLSError) {
        (reason, failure) = Self.reasons(error)
        detail = error.detail
    }

    /// In TLS 1.3 a server judges our certificate after the handshake is complete for us.
    ///
    /// - Parameter error: of a connection whose handshake is complete.
    /// - Returns: nil if the server has not said that it refuses our certificate, or misses one.
    init?(afterHandshake error: any Error) {
        guard let refusal = ClientTLSError(afterHandshake: error) else { return nil }
        self.init(refusal)
    }

    private static func reasons(_ error: ClientTLSError) -> (Reason, FailingReason) {
        switch error {
        case .timedOut: (.connectTimeout, .connectTimedOut)
        case .ended, .failed, .prohibited, .alert, .library: (.handshakeFailed, .handshakeFailed)
        case .notTLS: (.handshakeFailed, .notTLS)
        case .expired: (.certificateRefused, .certificateExpired)
        case .unknownAuthority: (.certificateRefused, .certificateOfUnknownAuthority)
        case .otherName: (.certificateRefused, .certificateOfOtherName)
        case .otherURI, .unreadable, .invalid: (.certificateRefused, .certificateRefused)
        }
    }
}
