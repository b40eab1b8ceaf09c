import HTTPWire
import NIOCore

/// One request received over an HTTP/1.x connection, and what its response means for the connection.
struct HTTP1Request {
    private let limits: MessageLimits
    private(set) var version = HTTPVersion.http11
    private var body: BodyReader
    /// Whether the connection can carry another request; final once the response's head is written.
    private(set) var persists = true
    /// The response in progress ends only when the connection closes.
    private(set) var responseEndsWithConnection = false

    init(limits: MessageLimits) {
        self.limits = limits
        body = BodyReader(.none, from: .client, limits: limits)
    }

    mutating func begin(_ head: RequestHead) {
        version = head.version
        persists = head.isPersistent
        responseEndsWithConnection = false
        if head.framing.hasBody || !body.isComplete { body = BodyReader(head.framing, from: .client, limits: limits) }
    }

    /// The request has arrived completely.
    var isComplete: Bool { body.isComplete }

    /// - Parameter fields: filled with the trailers if the body ends with some.
    mutating func readBody(_ bytes: inout ByteBuffer, _ fields: FieldTable) -> BodyPart { body.read(&bytes, fields) }

    /// How to send a response whose body has this framing; records whether the connection persists after it.
    ///
    /// HTTP/1.0 has no chunked coding: a body without a length ends with the connection. An HTTP/1.1 client receives it
    /// in chunks, so that it can tell a complete body from a truncated one.
    mutating func answer(with framing: BodyFraming, mayPersist: Bool) -> ResponseFraming {
        let hasNoLength = framing.isChunked || framing.endsWithConnection
        responseEndsWithConnection = hasNoLength && version == .http10
        persists = persists && mayPersist && isComplete && !responseEndsWithConnection
        return ResponseFraming(
            coding: hasNoLength && version == .http11 ? .chunked : .plain,
            addsTransferEncoding: framing.endsWithConnection && version == .http11,
            removesTransferEncoding: version == .http10,
            connection: persists ? (version == .http10 ? .keepAlive : .none) : .close)
    }

    /// The same for a local response, whose length is known. Returns whether the connection persists.
    mutating func answer(mayPersist: Bool) -> Bool {
        persists = persists && mayPersist && isComplete
        return persists
    }
}

/// How an HTTP/1.x connection sends one response.
struct ResponseFraming: Equatable {
    /// The value of the Connection field.
    enum Persistence {
        /// No field: an HTTP/1.1 connection persists by default.
        case none
        case keepAlive
        case close
    }

    var coding: ConnectionOutput.Coding
    /// The backend's head does not announce the chunked coding, and the client's head must.
    var addsTransferEncoding: Bool
    var removesTransferEncoding: Bool
    var connection: Persistence
}
