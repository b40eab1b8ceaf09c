/// What made a backend count as failing.
package enum FailingReason: Hashable, Sendable {
    /// The answer to a check, or to a request, had this status.
    case status(Int)
    /// The check was not over in time.
    case timedOut
    case connectionRefused
    case connectTimedOut
    /// No connection could be made for another reason, such as a name without address.
    case connectFailed
    /// The connection ended within the response, or before it.
    case closed
    /// The response was not valid HTTP.
    case malformed
    /// The check was redirected again and again.
    case redirects
    /// The container's own health check fails.
    case container
    /// The backend's certificate was not accepted: its time is over or has not come, nobody who is trusted vouches for
    /// it, it is another's, or something else is wrong with it.
    case certificateExpired
    case certificateOfUnknownAuthority
    case certificateOfOtherName
    case certificateRefused
    /// The backend speaks no TLS.
    case notTLS
    case handshakeFailed
    /// A check by gRPC found no HTTP/2.
    case notHTTP2
    /// A check by gRPC was answered with this status (other than 0), instead of the server's health.
    case grpcStatus(Int)
    /// By its own account the server does not serve.
    case notServing
    case unknown

    private static let plain: [FailingReason] = [
        .unknown, .timedOut, .connectionRefused, .connectTimedOut, .connectFailed, .closed, .malformed, .redirects,
        .container, .certificateExpired, .certificateOfUnknownAuthority, .certificateOfOtherName, .certificateRefused,
        .notTLS, .handshakeFailed, .notHTTP2, .notServing,
    ]
    private static let statusBase: UInt32 = 1 << 16
    private static let grpcStatusBase: UInt32 = 1 << 17

    /// A number that ``init(code:)`` understands.
    var code: UInt32 {
        switch self {
        case .status(let status): Self.statusBase + UInt32(clamping: min(max(status, 0), 999))
        case .grpcStatus(let status): Self.grpcStatusBase + UInt32(clamping: min(max(status, 0), 999))
        default: UInt32(clamping: Self.plain.firstIndex(of: self) ?? 0)
        }
    }

    init?(code: UInt32) {
        if code >= Self.grpcStatusBase {
            self = .grpcStatus(Int(code - Self.grpcStatusBase))
        } else if code >= Self.statusBase {
            self = .status(Int(code - Self.statusBase))
        } else if Self.plain.indices.contains(Int(code)) {
            self = Self.plain[Int(code)]
        } else {
            return nil
        }
    }

    package static func text(ofCheck reason: FailingReason) -> String { "health check: \(reason.text)" }

    package static func text(ofRequests reason: FailingReason) -> String { "requests: \(reason.text)" }

    /// For people, in a few words.
    package var text: String {
        switch self {
        case .status(let status): "status \(status)"
        case .timedOut: "no complete response in time"
        case .connectionRefused: "connection refused"
        case .connectTimedOut: "connecting timed out"
        case .connectFailed: "cannot connect"
        case .closed: "connection closed"
        case .malformed: "malformed response"
        case .redirects: "too many redirects"
        case .container: "container unhealthy"
        case .certificateExpired: "certificate refused: expired, or not valid yet"
        case .certificateOfUnknownAuthority: "certificate refused: unknown authority"
        case .certificateOfOtherName: "certificate refused: for another name"
        case .certificateRefused: "certificate refused"
        case .notTLS: "TLS handshake failed: the answer was not TLS"
        case .handshakeFailed: "TLS handshake failed"
        case .notHTTP2: "the server does not speak HTTP/2"
        case .grpcStatus(let status): "gRPC status \(status)"
        case .notServing: "gRPC: not serving"
        case .unknown: "unknown"
        }
    }
}
