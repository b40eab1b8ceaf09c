import HTTPWire
import NIOCore

/// The client's side of one exchange: the HTTP/1.1 connection or the HTTP/2 stream that it uses, which itself decides
/// how it frames bodies, how it ends a response, and what becomes of the connection.
enum Downstream {
    case http1(HTTP1ClientConnection)
    case http2(HTTP2ClientStream)

    var entryPoint: EntryPoint {
        switch self {
        case .http1(let connection): connection.entryPoint
        case .http2(let stream): stream.entryPoint
        }
    }

    /// Whether more of the response can be written without queueing it in memory.
    var isWritable: Bool {
        switch self {
        case .http1(let connection): connection.isWritable
        case .http2(let stream): stream.isWritable
        }
    }

    /// The time by which the client must have sent or taken something; otherwise the exchange receives a timeout. It
    /// may fire up to ``DeadlineScan/interval`` late.
    func setDeadline(_ deadline: NIODeadline) {
        switch self {
        case .http1(let connection): connection.setDeadline(deadline)
        case .http2(let stream): stream.setDeadline(deadline)
        }
    }

    /// The exchange must be over within this time; otherwise it receives a timeout of the response.
    func bound(by amount: TimeAmount) {
        switch self {
        case .http1(let connection): connection.bound(by: amount)
        case .http2(let stream): stream.bound(by: amount)
        }
    }

    // MARK: The request's body

    /// Sets the deadline by which the next piece of the request's body must arrive.
    func expectBody() {
        switch self {
        case .http1(let connection): connection.expectBody()
        case .http2(let stream): stream.expectBody()
        }
    }

    /// Asks for more of the request's body. Bytes that have already arrived are delivered within this call.
    func wantBody() {
        switch self {
        case .http1(let connection): connection.wantInput()
        case .http2(let stream): stream.wantBody()
        }
    }

    /// Stops reading the request's body for now.
    func pauseBody() {
        switch self {
        case .http1(let connection): connection.pauseReading()
        case .http2(let stream): stream.pauseBody()
        }
    }

    // MARK: The response

    /// Sends an interim response at once, if the client's HTTP version has them.
    func sendInterim(_ response: ResponseView) {
        switch self {
        case .http1(let connection): connection.sendInterim(response)
        case .http2(let stream): stream.sendInterim(response)
        }
    }

    /// Sends the head of a backend's response. It leaves with the next ``flush()``, or with the end.
    func sendHead(_ response: ResponseView, adding additions: ResponseAdditions) {
        switch self {
        case .http1(let connection): connection.sendHead(response, adding: additions)
        case .http2(let stream): stream.sendHead(response, adding: additions)
        }
    }

    /// Sends content of the response's body.
    func send(_ content: ByteBuffer) {
        switch self {
        case .http1(let connection): connection.send(content)
        case .http2(let stream): stream.send(content)
        }
    }

    func flush() {
        switch self {
        case .http1(let connection): connection.flush()
        case .http2(let stream): stream.flush()
        }
    }

    /// Sends a local response instead of a backend's, except for its end. Returns the size of its body in bytes.
    /// - Parameter closing: whether the connection closes after the response and accepts no more input.
    func send(_ answer: LocalResponse, adding edits: FieldEdits?, bodiless: Bool, closing: Bool) -> Int {
        switch self {
        case .http1(let connection): connection.send(answer, adding: edits, bodiless: bodiless, closing: closing)
        case .http2(let stream): stream.send(answer, adding: edits, bodiless: bodiless)
        }
    }

    // MARK: The end of the exchange. Exactly one of these is called, once, and nothing after it.

    /// The response is complete.
    /// - Parameter trailers: complete field lines; dropped if the client cannot receive trailers.
    func end(trailers: [UInt8]) {
        switch self {
        case .http1(let connection): connection.end(trailers: trailers)
        case .http2(let stream): stream.end(trailers: trailers)
        }
    }

    /// The response switched protocols: releases what carried the exchange for the new protocol. Nil if it has closed.
    func handOver() -> TunnelOrigin? {
        switch self {
        case .http1(let connection): connection.handOver().map { .connection($0) }
        case .http2(let stream): stream.isOpen ? .clientStream(stream) : nil
        }
    }

    /// The response cannot be completed; makes that visible to the client.
    func cut() {
        switch self {
        case .http1(let connection): connection.cutResponse()
        case .http2(let stream): stream.cutResponse()
        }
    }
}

/// What a response contains in addition to the backend's own fields.
struct ResponseAdditions {
    /// Complete Set-Cookie lines, or empty.
    var setCookie: [UInt8]
    /// The changes that middlewares make. They do not apply to the affinity cookies.
    var edits: FieldEdits?
}
