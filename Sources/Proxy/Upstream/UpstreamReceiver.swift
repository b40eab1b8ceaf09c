import NIOCore

/// Who sent a request to a backend, as the backend's connection tells it what comes. Told on the event loop, never from
/// within a call of its own to ``Upstream``, but for ``Upstream/passHead()``.
protocol UpstreamReceiver: AnyObject {
    /// An interim response (1xx) came. At most as many come as the limits allow.
    func receivedInterim(_ response: ResponseView)

    /// The response's head came. A first part of the body follows in this turn, it may be empty.
    ///
    /// - Returns: false if the response has to wait; then ``Upstream/passHead()`` has the head told again.
    func receivedHead(_ response: ResponseView) -> Bool

    /// More of the response's body came, or its end.
    func received(_ part: consuming BodyPart)

    /// No more of the response will come.
    func upstreamFailed(_ failure: UpstreamFailure)

    /// The connection takes more of the request again, or takes no more for now.
    func upstreamWritabilityChanged()

    /// The deadline that was set has passed.
    func upstreamTimedOut()
}

/// Why a response did not come, or not all of it.
enum UpstreamFailure: Equatable {
    /// The connection ended before the response's head was whole.
    ///
    /// - Parameter afterInterim: an interim response came before.
    case lost(afterInterim: Bool)
    /// What came is no response, or more than the limits allow.
    case malformed
    /// The connection ended within the response's body.
    case cut
}
