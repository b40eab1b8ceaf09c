import Affinity
import HTTPWire
import NIOCore

/// The sender of a request to a backend, which receives the events of the backend's connection. Called on the event
/// loop, and never from within its own call to ``Upstream``, except for ``Upstream/passHead()``.
protocol UpstreamReceiver: AnyObject {
    /// An interim response (1xx) arrived. The limits bound their number.
    func receivedInterim(_ response: ResponseView)

    /// The response's head arrived. The first part of the body, which may be empty, follows in this turn.
    ///
    /// - Returns: false if the response has to wait; then ``Upstream/passHead()`` delivers the head again.
    func receivedHead(_ response: ResponseView) -> Bool

    /// The response whose head was delivered is a 101: the connection speaks these protocols from now on. The receiver
    /// takes it by ``Upstream/handOver()``.
    func switchedProtocols(to protocols: UpgradeProtocols)

    /// More of the response's body arrived, or its end.
    func received(_ part: consuming BodyPart)

    /// No more of the response will arrive.
    func upstreamFailed(_ failure: UpstreamFailure)

    /// The connection accepts more of the request again, or accepts no more for now.
    func upstreamWritabilityChanged()

    /// The deadline has passed.
    func upstreamTimedOut()
}

/// Why a response did not arrive, or only partly.
enum UpstreamFailure: Equatable {
    /// The connection, or the stream, ended before the response's head was complete.
    ///
    /// - Parameters:
    ///   - afterInterim: an interim response arrived before.
    ///   - detail: what the backend said of our certificate, which ended the connection.
    case lost(afterInterim: Bool, detail: String? = nil)
    /// The backend sent nothing for a long time, and did not answer a PING, before the response's head was complete.
    case silent(afterInterim: Bool)
    /// The backend speaks HTTP/2, and the request is for a tunnel that it does not take (RFC 8441). Nothing was sent to
    /// it.
    case takesNoTunnel
    /// The backend has said that it did nothing with the request (RFC 9113, section 8.7).
    case notProcessed
    /// The bytes are not a valid response, or exceed the limits.
    case refused(Cause)
    /// The connection, or the stream, ended within the response's body.
    case cut

    var cause: Cause {
        switch self {
        case .lost(_, let detail): Cause(.connectionLost, detail)
        case .silent: Cause(.connectionLost, "the backend sent nothing, and did not answer a PING")
        case .takesNoTunnel: Cause(.switchRefused, "the backend takes no such tunnel over HTTP/2 (RFC 8441)")
        case .notProcessed: Cause(.connectionLost, "the backend took no more requests on the connection")
        case .refused(let cause): cause
        case .cut: Cause(.responseCut)
        }
    }

    /// What that says of the backend's health.
    var reason: FailingReason {
        switch self {
        // Nothing but a refusal of our certificate has a detail.
        case .lost(_, .some): .handshakeFailed
        case .lost(_, nil), .notProcessed, .cut: .closed
        case .silent: .timedOut
        case .refused, .takesNoTunnel: .malformed
        }
    }

    /// The connection ended, or counts as ended, before the response's head was complete: whether an interim response
    /// had arrived. Nil for other failures.
    var lossIsAfterInterim: Bool? {
        switch self {
        case .lost(let afterInterim, _), .silent(let afterInterim): afterInterim
        case .takesNoTunnel, .notProcessed, .refused, .cut: nil
        }
    }
}
