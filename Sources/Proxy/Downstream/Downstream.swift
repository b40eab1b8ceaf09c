import HTTPWire
import NIOCore

/// The client's side of one exchange: the HTTP/1.1 connection whose turn it is. How long a connection lives, which
/// version it speaks, how bodies are framed on it and what ends a response is its own business.
enum Downstream {
    case http1(HTTP1ClientConnection)

    /// Whether more of the response can be written without waiting in memory.
    var isWritable: Bool {
        switch self {
        case .http1(let connection): connection.isWritable
        }
    }

    /// By when the client is to have sent or taken something; else the exchange is told that it timed out. Acted on up
    /// to ``DeadlineSweep/interval`` late.
    func setDeadline(_ deadline: NIODeadline) {
        switch self {
        case .http1(let connection): connection.deadline = deadline
        }
    }

    // MARK: The request's body

    /// More of the request's body is wanted: what has come already is told within this call.
    func wantBody() {
        switch self {
        case .http1(let connection): connection.wantInput()
        }
    }

    /// No more of the request's body is read for now.
    func pauseBody() {
        switch self {
        case .http1(let connection): connection.pauseReading()
        }
    }

    // MARK: The response

    /// Sends an interim response at once, if the client knows what that is.
    func sendInterim(_ response: ResponseView) {
        switch self {
        case .http1(let connection): connection.sendInterim(response)
        }
    }

    /// Sends the head of a response that a backend gave. It leaves with the next ``flush()``, or with the end.
    func sendHead(_ response: ResponseView, adding additions: ResponseAdditions) {
        switch self {
        case .http1(let connection): connection.sendHead(response, adding: additions)
        }
    }

    /// Sends content of the response's body.
    func send(_ content: ByteBuffer) {
        switch self {
        case .http1(let connection): connection.send(content)
        }
    }

    func flush() {
        switch self {
        case .http1(let connection): connection.flush()
        }
    }

    /// Sends a response of our own in place of a backend's, but for its end. Returns the bytes of its body.
    /// - Parameter closing: nothing more is taken from the connection.
    func send(_ answer: LocalResponse, adding edits: FieldEdits?, bodiless: Bool, closing: Bool) -> Int {
        switch self {
        case .http1(let connection): connection.send(answer, adding: edits, bodiless: bodiless, closing: closing)
        }
    }

    // MARK: The end of the exchange. One of these is called, once, and nothing after it.

    /// The response is whole.
    /// - Parameter trailers: whole lines of fields; lost where the client cannot be sent any.
    func end(trailers: [UInt8]) {
        switch self {
        case .http1(let connection): connection.end(trailers: trailers)
        }
    }

    /// The response was a change of protocol: leaves the connection to whoever speaks it. Nil where it has closed, or
    /// carries other exchanges.
    func handOver() -> HandedOver? {
        switch self {
        case .http1(let connection): connection.handOver()
        }
    }

    /// The response cannot be finished, and the client is to see that.
    func cut() {
        switch self {
        case .http1(let connection): connection.cutResponse()
        }
    }
}

/// What a response says beside what the backend said.
struct ResponseAdditions {
    /// Whole Set-Cookie lines, or nothing.
    var setCookie: [UInt8]
    /// What middlewares change. Our own cookies are none of theirs.
    var edits: FieldEdits?
}
