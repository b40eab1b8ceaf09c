/// What happens on an HTTP/2 connection, reported from within ``HTTP2Session/receive(_:at:)`` and
/// ``HTTP2Session/nextOutput(_:)``. In an event everything may be asked of the session but these two.
///
/// Streams are numbered by RFC 9113, section 5.1.1. Bytes are valid during the call alone.
package protocol HTTP2Events: AnyObject {
    /// The head of a request or of a response, in the form of HTTP/1.1, for `HeadScanner` to judge.
    ///
    /// - Parameter ends: nothing follows on the stream.
    func received(head: UnsafeRawBufferPointer, of stream: Int32, ends: Bool)

    /// A head was refused. The stream of a malformed one is reset; one that is too large may be answered.
    func refusedHead(of stream: Int32, _ fault: HTTP2HeadFault)

    /// Content of a body. The bytes lie in those passed to `receive`. They count against the peer's windows until
    /// ``HTTP2Session/consume(_:of:)``.
    func received(content: UnsafeRawBufferPointer, of stream: Int32)

    /// The peer's side of the stream is complete.
    ///
    /// - Parameter trailers: field lines and an empty line, or empty.
    func receivedEnd(of stream: Int32, trailers: UnsafeRawBufferPointer)

    /// The stream is closed, because both sides are complete or by a reset with this error (RFC 9113, section 7).
    func closed(_ stream: Int32, error: UInt32)

    /// The peer takes no more streams. Those above `last` were not processed (RFC 9113, section 6.8).
    func receivedGoAway(last: Int32, error: UInt32)

    /// Asks for content to send: at most `limit` bytes, which ``write(_:of:after:)`` takes.
    func content(of stream: Int32, atMost limit: Int) -> HTTP2Content

    /// The next bytes to be sent are a frame's head and then this many bytes of the stream's content.
    func write(_ count: Int, of stream: Int32, after frameHead: UnsafeRawBufferPointer)

    /// Asks for 16 random bytes in base 64: the nonce of a WebSocket's handshake (RFC 6455, section 4.1).
    func webSocketKey() -> [UInt8]

    /// Asks for what answers the nonce of a request for a WebSocket (RFC 6455, section 4.2.2), 28 bytes in base 64;
    /// empty: the request had none.
    func webSocketAccept(of stream: Int32) -> [UInt8]
}

package enum HTTP2HeadFault: Equatable, Sendable {
    case malformed
    /// - Parameters:
    ///   - isToHead: the request's method is HEAD.
    ///   - isGRPC: the request is a call of gRPC, as far as its fields came to be seen.
    case tooLarge(isToHead: Bool = false, isGRPC: Bool = false)
}

/// What of a body can be sent now.
package struct HTTP2Content: Equatable, Sendable {
    package enum End: Equatable, Sendable {
        /// More content follows. If there is none now, ``HTTP2Session/resume(_:)`` must be called once there is.
        case goesOn
        case complete
        /// ``HTTP2Session/send(trailers:of:)`` has accepted trailers.
        case completeWithTrailers
    }

    package var count: Int
    package var end: End

    package init(count: Int, end: End) {
        self.count = count
        self.end = end
    }
}
