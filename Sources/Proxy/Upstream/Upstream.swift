import HTTPWire
import NIOCore

/// The backend's side of one exchange: a place on a connection to a backend. An HTTP/1.1 connection has one place, an
/// HTTP/2 connection many. Lent by ``BackendPool``; the borrower must call ``end()`` once.
enum Upstream {
    case http1(HTTP1BackendConnection)
    case http2(HTTP2BackendStream)

    /// False once the connection has closed.
    var isUsable: Bool {
        switch self {
        case .http1(let connection): connection.isUsable
        case .http2(let stream): stream.isUsable
        }
    }

    /// Whether more of the request can be written without queueing it in memory.
    var isWritable: Bool {
        switch self {
        case .http1(let connection): connection.isWritable
        case .http2(let stream): stream.isWritable
        }
    }

    /// The time by which the backend must make progress; otherwise ``UpstreamReceiver/upstreamTimedOut()`` is called.
    /// It may fire up to ``DeadlineScan/interval`` late.
    func setDeadline(_ deadline: NIODeadline) {
        switch self {
        case .http1(let connection): connection.deadline = deadline
        case .http2(let stream): stream.deadline = deadline
        }
    }

    /// Sends a request's head at once. From now on `receiver` receives the events.
    ///
    /// - Parameters:
    ///   - head: rendered as HTTP/1.1.
    ///   - framing: the framing of the request's body.
    ///   - offer: the protocols to which the backend may switch. Over HTTP/2 WebSocket alone is offered.
    ///   - acceptsTrailers: whether the client said so. Over HTTP/2 the backend is told.
    func send(
        _ head: ByteBuffer, method: Method, framing: BodyFraming, offering offer: UpgradeProtocols,
        acceptsTrailers: Bool = false, for receiver: any UpstreamReceiver
    ) {
        switch self {
        case .http1(let connection):
            connection.send(head, method: method, framing: framing, offering: offer, for: receiver)
        case .http2(let stream):
            stream.send(
                head, method: method, framing: framing, offering: offer, acceptsTrailers: acceptsTrailers,
                for: receiver)
        }
    }

    /// Sends a part of the request's body, or its end; it leaves with the next ``flush()``.
    func send(_ part: BodyPart) {
        switch self {
        case .http1(let connection): connection.send(part)
        case .http2(let stream): stream.send(part)
        }
    }

    func flush() {
        switch self {
        case .http1(let connection): connection.flush()
        case .http2(let stream): stream.flush()
        }
    }

    /// Stops reading the response for now.
    func pauseReading() {
        switch self {
        case .http1(let connection): connection.pauseReading()
        case .http2(let stream): stream.pauseReading()
        }
    }

    func resumeReading() {
        switch self {
        case .http1(let connection): connection.resumeReading()
        case .http2(let stream): stream.resumeReading()
        }
    }

    /// Delivers the head that ``UpstreamReceiver/receivedHead(_:)`` held back again, and everything after it.
    func passHead() {
        switch self {
        case .http1(let connection): connection.passHead()
        case .http2(let stream): stream.passHead()
        }
    }

    /// The exchange ends with a switch of protocols: releases the connection, or the stream, for the new protocol. Nil
    /// if it has closed.
    func handOver() -> TunnelOrigin? {
        switch self {
        case .http1(let connection): connection.handOver().map { .connection($0) }
        case .http2(let stream): stream.isOpen ? .backendStream(stream) : nil
        }
    }

    /// The exchange is over; no more events follow. If the response or the request is incomplete, it is aborted.
    func end() {
        switch self {
        case .http1(let connection): connection.end()
        case .http2(let stream): stream.end()
        }
    }
}
