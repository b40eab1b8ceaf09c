import HTTPWire
import NIOCore

/// One request as it comes over an HTTP/1.x connection, and what its response means for the connection.
struct HTTP1Request {
    private let limits: MessageLimits
    private(set) var version = HTTPVersion.http11
    private var body: BodyReader
    /// Whether the connection may go on to another request; final once the response's head is written.
    private(set) var persists = true
    /// The response that is under way has no end but that of the connection.
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

    /// All of it has come.
    var isComplete: Bool { body.isComplete }

    /// - Parameter fields: filled with the trailers where the body ends with some.
    mutating func readBody(_ bytes: inout ByteBuffer, _ fields: FieldTable) -> BodyPart { body.read(&bytes, fields) }

    /// How a response with a body of this framing is sent, and whether the connection lives on after it.
    ///
    /// HTTP/1.0 knows no chunks: there a body without a length ends with the connection. To HTTP/1.1 it is sent in
    /// chunks, so that the client can tell its end from a cut.
    mutating func answer(with framing: BodyFraming, mayPersist: Bool) -> ResponseFraming {
        let hasNoLength = framing == .chunked || framing == .untilClose
        responseEndsWithConnection = hasNoLength && version == .http10
        persists = persists && mayPersist && isComplete && !responseEndsWithConnection
        return ResponseFraming(
            coding: hasNoLength && version == .http11 ? .chunked : .plain,
            addsTransferEncoding: framing == .untilClose && version == .http11,
            removesTransferEncoding: version == .http10,
            connection: persists ? (version == .http10 ? .keepAlive : .none) : .close)
    }

    /// The same for a response of our own, whose length is known. Returns whether the connection lives on after it.
    mutating func answer(mayPersist: Bool) -> Bool {
        persists = persists && mayPersist && isComplete
        return persists
    }
}

/// How an HTTP/1.x connection sends one response.
struct ResponseFraming: Equatable {
    /// What the Connection field says.
    enum Persistence {
        /// Nothing: an HTTP/1.1 connection lives on.
        case none
        case keepAlive
        case close
    }

    var coding: ConnectionOutput.Coding
    /// The backend's head does not say that the body comes in chunks, and has to.
    var addsTransferEncoding: Bool
    var removesTransferEncoding: Bool
    var connection: Persistence
}
