import HTTPWire
import NIOCore

/// The backend's side of one exchange: a place on a connection to a backend. An HTTP/1.1 connection has one place. Lent
/// by ``BackendPool``; whoever has it must call ``end()`` once.
enum Upstream {
    case http1(HTTP1BackendConnection)

    /// False once the connection has closed.
    var isUsable: Bool {
        switch self {
        case .http1(let connection): connection.isUsable
        }
    }

    /// Whether more of the request can be written without waiting in memory.
    var isWritable: Bool {
        switch self {
        case .http1(let connection): connection.isWritable
        }
    }

    /// By when something is to happen; ``UpstreamReceiver/upstreamTimedOut()`` is told else. Acted on up to
    /// ``DeadlineSweep/interval`` late.
    func setDeadline(_ deadline: NIODeadline) {
        switch self {
        case .http1(let connection): connection.deadline = deadline
        }
    }

    /// Sends a request's head at once. From here on `receiver` is told what comes.
    ///
    /// - Parameters:
    ///   - head: rendered as HTTP/1.1.
    ///   - framing: of the request's body.
    func send(_ head: ByteBuffer, method: Method, framing: BodyFraming, for receiver: any UpstreamReceiver) {
        switch self {
        case .http1(let connection): connection.send(head, method: method, framing: framing, for: receiver)
        }
    }

    /// Sends a part of the request's body, or its end; it leaves with the next ``flush()``.
    func send(_ part: BodyPart) {
        switch self {
        case .http1(let connection): connection.send(part)
        }
    }

    func flush() {
        switch self {
        case .http1(let connection): connection.flush()
        }
    }

    /// Reads no more of the response for now.
    func pauseReading() {
        switch self {
        case .http1(let connection): connection.pauseReading()
        }
    }

    func resumeReading() {
        switch self {
        case .http1(let connection): connection.resumeReading()
        }
    }

    /// Tells the head again that ``UpstreamReceiver/receivedHead(_:)`` had wait, and what came behind it.
    func passHead() {
        switch self {
        case .http1(let connection): connection.passHead()
        }
    }

    /// The exchange is over by a change of protocol: leaves the connection to whoever speaks it. Nil where it has
    /// closed, or carries other exchanges.
    func handOver() -> HandedOver? {
        switch self {
        case .http1(let connection): connection.handOver()
        }
    }

    /// The exchange is over; nothing more is told. If the response or the request is not whole, it is cut.
    func end() {
        switch self {
        case .http1(let connection): connection.end()
        }
    }
}
