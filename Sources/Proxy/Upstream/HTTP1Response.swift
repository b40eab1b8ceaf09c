import HTTPWire
import NIOCore

/// One response received over an HTTP/1.1 connection: interim heads, the head, the body, its end. Takes bytes and
/// returns events.
struct HTTP1Response {
    enum Event {
        /// Nothing to do until more bytes arrive.
        case wait
        /// The bytes begin with an interim response's head. The caller moves past it.
        case interim(ResponseHead)
        /// The bytes begin with the response's head, or with that of a 101 that accepts an offer. The caller calls
        /// `passedHead` and moves past it, or calls `holdBack`. What follows a 101 is not a response any more.
        case head(ResponseHead)
        case body(BodyPart)
        /// Too many bytes arrived after a head that is held back: the head must be forwarded now.
        case heldTooMuch
        case failed(UpstreamFailure)
    }

    private enum State {
        /// → heldBack, body, over
        case head
        /// A complete head has arrived and is held back. → head
        case heldBack
        /// → over
        case body
        case over
    }

    /// The maximum number of bytes after a head that is held back. Reading is paused then, so more than the rest of one
    /// read arrives only if the backend closes its connection after the response.
    static let heldMax = 1024 * 1024

    private let messageLimits: MessageLimits
    private let interimMax: Int
    private var state = State.over
    private var method = Method.get
    /// The protocols to which the request lets the backend switch.
    private var offer = UpgradeProtocols()
    /// The protocols to which the backend has switched; none before a 101.
    private(set) var accepted = UpgradeProtocols()
    private var interimCount = 0
    /// Set while a head has partly arrived.
    private var headEnd: HeadEnd?
    private var body: BodyReader
    private var framing = BodyFraming.none
    private var persists = false
    /// Bytes arrived after the end of the body.
    private var hasSurplus = false
    private var hasFailed = false
    private var failureDetail: String?

    init(limits: ProxyLimits) {
        messageLimits = limits.message
        interimMax = limits.interimResponses
        body = BodyReader(.none, from: .backend, limits: limits.message)
    }

    /// A request of this method is being sent, and its response comes next.
    mutating func begin(_ method: Method, offering offer: UpgradeProtocols = UpgradeProtocols()) {
        self.method = method
        self.offer = offer
        state = .head
        interimCount = 0
        headEnd = nil
        persists = false
        hasSurplus = false
    }

    var isHeldBack: Bool {
        if case .heldBack = state { true } else { false }
    }

    /// Whether the connection can carry another exchange, as far as this response is concerned.
    var mayBeFollowed: Bool {
        if case .over = state { persists && !hasSurplus && !hasFailed } else { false }
    }

    mutating func read(_ bytes: inout ByteBuffer, _ loop: LoopContext) -> Event {
        switch state {
        case .head: readHead(bytes, loop)
        case .heldBack: bytes.readableBytes > Self.heldMax ? .heldTooMuch : .wait
        case .body: .body(readBody(&bytes, loop.responseFields))
        case .over: .wait
        }
    }

    private mutating func readHead(_ bytes: ByteBuffer, _ loop: LoopContext) -> Event {
        let scan = bytes.withUnsafeReadableBytes { source -> ResponseScan in
            guard headEnd?.find(in: source) ?? true else { return .incomplete }
            return loop.scanner.scanResponse(source, requestMethod: method, into: loop.responseFields)
        }
        switch scan {
        case .incomplete:
            if headEnd == nil { headEnd = HeadEnd(limits: messageLimits) }
            return .wait
        case .refused(let refusal):
            return refused(Cause(response: refusal))
        case .head(let head) where head.status < 200:
            headEnd = nil
            return head.isSwitchingProtocols ? switching(head, bytes, loop.responseFields) : interim(head)
        case .head(let head):
            headEnd = nil
            return .head(head)
        }
    }

    private mutating func interim(_ head: ResponseHead) -> Event {
        interimCount += 1
        guard interimCount <= interimMax else {
            return refused(Cause(.responseRefused, "more than \(interimMax) interim responses"))
        }
        return .interim(head)
    }

    /// A 101 must accept what was offered: otherwise the backend and the client would disagree about what follows.
    private mutating func switching(_ head: ResponseHead, _ bytes: ByteBuffer, _ fields: FieldTable) -> Event {
        let accepted = bytes.withUnsafeReadableBytes { offer.accepted(by: fields, in: $0) }
        guard head.version == .http11, let accepted else { return refused(Cause(.switchRefused)) }
        self.accepted = accepted
        return .head(head)
    }

    private mutating func refused(_ cause: Cause) -> Event {
        state = .over
        return .failed(.refused(cause))
    }

    /// The head that `read` returned is forwarded. The first part of its body must be read at once.
    mutating func passedHead(_ head: ResponseHead, limits: MessageLimits) {
        state = .body
        persists = head.isPersistent && !head.framing.endsWithConnection
        framing = head.framing
        body = BodyReader(head.framing, from: .backend, limits: limits)
    }

    /// The head that `read` returned is held back.
    mutating func holdBack() { state = .heldBack }

    /// Makes `read` return the held head again. Returns whether a head was held back.
    mutating func passHead() -> Bool {
        guard isHeldBack else { return false }
        state = .head
        return true
    }

    /// - Parameter fields: filled with the trailers if the body ends with some.
    mutating func readBody(_ bytes: inout ByteBuffer, _ fields: FieldTable) -> BodyPart {
        let part = body.read(&bytes, fields)
        if part.end != nil {
            state = .over
            hasSurplus = bytes.readableBytes > 0
            if case .refused = part.end { persists = false }
        }
        return part
    }

    /// The connection reported an error: its end does not mark the end of the response.
    ///
    /// - Parameter detail: what the backend said of it.
    mutating func connectionFailed(_ detail: String? = nil) {
        hasFailed = true
        failureDetail = failureDetail ?? detail
    }

    /// The connection is closed; returns what that means for the response. Nothing while its head is held back: call it
    /// again after the head has been forwarded.
    @discardableResult
    mutating func connectionClosed() -> Event {
        switch state {
        case .head:
            state = .over
            return .failed(.lost(afterInterim: interimCount > 0, detail: failureDetail))
        case .heldBack, .over:
            return .wait
        case .body:
            state = .over
            // A body without a length ends with the connection, if the connection closes without an error.
            guard framing.endsWithConnection, !hasFailed else { return .failed(.cut) }
            return .body(BodyPart(content: ByteBuffer(), end: .complete(trailers: [])))
        }
    }
}
