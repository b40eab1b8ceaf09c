import CLimpetH2

/// One HTTP/2 connection without a socket (RFC 9113): bytes in, events and bytes out. Heads have the form of HTTP/1.1
/// in both directions. Confined to one thread.
package final class HTTP2Session {
    private let h2: OpaquePointer
    /// It owns the session. Not weak: every later reference to an object that is weakly referenced costs more.
    unowned let events: any HTTP2Events

    /// Nil if memory allocation fails.
    ///
    /// - Parameter events: not retained; must exist as long as the session is used.
    package init?(_ settings: HTTP2Settings, events: any HTTP2Events) {
        var limits = limpet_h2_settings(settings)
        var callbacks = limpet_h2_events.ofSession
        guard let h2 = limpet_h2_new(&limits, &callbacks) else { return nil }
        self.h2 = h2
        self.events = events
        limpet_h2_set_owner(h2, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { limpet_h2_free(h2) }

    // MARK: Bytes

    /// Takes bytes as received; of a client not always all of them: ``unreadCount``.
    ///
    /// - Parameter milliseconds: a clock that never goes back.
    /// - Returns: false if nothing more will be received: the peer broke the protocol or flooded the connection, or
    ///   both sides are done. What is still to be sent says so.
    package func receive(_ bytes: UnsafeRawBufferPointer, at milliseconds: UInt64) -> Bool {
        let first = bytes.bindMemory(to: UInt8.self).baseAddress
        return limpet_h2_receive(h2, first, bytes.count, milliseconds) == LIMPET_H2_OK
    }

    /// How many of the last bytes that were received must be passed once more, later: they begin more requests than may
    /// begin at once.
    package var unreadCount: Int { limpet_h2_unread(h2) }

    /// Calls `body` with the next bytes to be sent. Content is not among them: ``HTTP2Events/write(_:of:after:)`` comes
    /// in its place, for about 64 KiB in one call. Returns false if there is nothing to send for now.
    package func nextOutput(_ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
        var bytes: UnsafePointer<UInt8>?
        let count = limpet_h2_output(h2, &bytes)
        guard count > 0 else { return limpet_h2_has_more(h2) }
        body(UnsafeRawBufferPointer(start: bytes, count: count))
        return true
    }

    /// Nothing is left to receive or to send.
    package var isOver: Bool { limpet_h2_is_over(h2) }

    /// A block of fields has begun to arrive and is not complete.
    package var isInHead: Bool { limpet_h2_is_in_head(h2) }

    /// What the peer flooded the connection with, if that ended it.
    package var flood: HTTP2Flood? {
        let kind = limpet_h2_flood(h2)
        guard kind >= 0 else { return nil }
        return HTTP2Flood(kind: kind, resetsSent: LIMPET_H2_FLOOD_RESETS_SENT, fields: LIMPET_H2_FLOOD_HEAD)
    }

    // MARK: Heads

    /// Sends the head of a response. Its bytes are changed.
    ///
    /// - Parameter ends: no body follows; otherwise ``HTTP2Events/content(of:atMost:)`` asks for it.
    /// - Returns: false if it cannot be sent, for one because the stream is closed.
    package func send(response head: UnsafeMutableRawBufferPointer, on stream: Int32, ends: Bool) -> Bool {
        let bytes = head.bindMemory(to: UInt8.self)
        return limpet_h2_send_response(h2, stream, bytes.baseAddress, bytes.count, ends)
    }

    /// Sends the head of an interim response (1xx). Its bytes are changed.
    package func send(interim head: UnsafeMutableRawBufferPointer, on stream: Int32) {
        let bytes = head.bindMemory(to: UInt8.self)
        _ = limpet_h2_send_interim(h2, stream, bytes.baseAddress, bytes.count)
    }

    /// Opens a stream for a request. The bytes of the head are changed.
    ///
    /// - Parameters:
    ///   - scheme: `http` or `https`.
    ///   - acceptsTrailers: whether the request says so, in `te`.
    ///   - ends: no body follows.
    /// - Returns: the stream; nil if the peer takes no more.
    package func send(
        request head: UnsafeMutableRawBufferPointer, scheme: String, acceptsTrailers: Bool, ends: Bool
    ) -> Int32? {
        let bytes = head.bindMemory(to: UInt8.self)
        let stream = limpet_h2_send_request(h2, bytes.baseAddress, bytes.count, scheme, acceptsTrailers, ends)
        return stream < 0 ? nil : stream
    }

    /// Whether the peer has said that it takes requests for WebSockets (RFC 8441, section 3).
    package var takesWebSockets: Bool { limpet_h2_takes_websockets(h2) }

    /// Opens a stream for a request for a WebSocket. The bytes of the head, in the form of HTTP/1.1, are changed.
    ///
    /// An answer that accepts it is reported as a 101. Content follows in both directions:
    /// ``HTTP2Events/content(of:atMost:)`` asks for ours.
    ///
    /// - Returns: the stream; nil if the peer takes no more.
    package func send(webSocket head: UnsafeMutableRawBufferPointer, scheme: String) -> Int32? {
        let bytes = head.bindMemory(to: UInt8.self)
        let stream = limpet_h2_send_websocket(h2, bytes.baseAddress, bytes.count, scheme)
        return stream < 0 ? nil : stream
    }

    /// Sends trailers after the content, from within ``HTTP2Events/content(of:atMost:)``. Returns false if there are
    /// none that can be sent.
    package func send(trailers lines: [UInt8], of stream: Int32) -> Bool {
        var lines = lines
        return lines.withUnsafeMutableBufferPointer {
            limpet_h2_send_trailers(h2, stream, $0.baseAddress, $0.count)
        }
    }

    // MARK: Streams

    /// There is content again for a stream that had none.
    package func resume(_ stream: Int32) { limpet_h2_resume(h2, stream) }

    /// Content is used up: the peer may send as much again.
    package func consume(_ count: Int, of stream: Int32) {
        if count > 0 { limpet_h2_consume(h2, stream, count) }
    }

    /// Whether the peer takes content of the stream, as far as the stream's own window says.
    package func windowIsOpen(of stream: Int32) -> Bool { limpet_h2_window_is_open(h2, stream) }

    package func reset(_ stream: Int32, _ error: UInt32) { limpet_h2_reset(h2, stream, error) }

    /// The peer may send after our side of the stream is complete, as in a tunnel. Otherwise a server tells it to stop
    /// (RFC 9113, section 8.1).
    package func keepInput(of stream: Int32) { limpet_h2_keep_input(h2, stream) }

    /// How many of our streams the peer takes at once; 0 once it takes none. 100 before its settings have arrived.
    package var peerStreams: Int { Int(limpet_h2_peer_streams(h2)) }

    package var hasPeerSettings: Bool { limpet_h2_has_peer_settings(h2) }

    /// Asks the peer for a sign of life (RFC 9113, section 6.7).
    package func ping() { limpet_h2_ping(h2) }

    // MARK: The end of the connection

    /// Tells the peer that the connection will end soon. Streams that it has opened meanwhile are still served.
    package func announceEnd() { limpet_h2_announce_end(h2) }

    /// Takes no more streams. Those that are open go on.
    package func refuseStreams() { limpet_h2_refuse_streams(h2) }

    /// Ends the connection with all its streams.
    package func terminate(_ error: UInt32) { limpet_h2_terminate(h2, error) }
}

@available(*, unavailable)
extension HTTP2Session: Sendable {}
