import HTTPWire
import NIOCore

/// One response as it comes over an HTTP/1.1 connection: interim heads, the head, the body, its end. Events in, what to
/// tell out.
struct HTTP1Response {
    enum Event {
        /// Nothing until more bytes come.
        case wait
        /// The bytes begin with an interim response's head. The caller moves past it.
        case interim(ResponseHead)
        /// The bytes begin with the response's head. The caller says `passedHead` and moves past it, or `holdBack`.
        case head(ResponseHead)
        case body(BodyPart)
        /// So much came behind a head that is held back that it is to go on now.
        case heldTooMuch
        case failed(UpstreamFailure)
    }

    private enum State {
        /// → heldBack, body, over
        case head
        /// A whole head has come, and waits. → head
        case heldBack
        /// → over
        case body
        case over
    }

    /// What may come behind a head that is held back. Reading is paused then; more than the rest of one read comes only
    /// where the backend closes its connection behind the response.
    static let heldMax = 1024 * 1024

    private let messageLimits: MessageLimits
    private let interimMax: Int
    private var state = State.over
    private var method = Method.get
    private var interimCount = 0
    /// Set while a head has come in part.
    private var headEnd: HeadEnd?
    private var body: BodyReader
    private var framing = BodyFraming.none
    private var persists = false
    /// Bytes came behind the end of the body.
    private var hasSurplus = false
    private var hasFailed = false

    init(limits: ProxyLimits) {
        messageLimits = limits.message
        interimMax = limits.interimResponses
        body = BodyReader(.none, from: .backend, limits: limits.message)
    }

    /// A request of this method is sent, and its response comes next.
    mutating func begin(_ method: Method) {
        self.method = method
        state = .head
        interimCount = 0
        headEnd = nil
        persists = false
        hasSurplus = false
    }

    var isHeldBack: Bool {
        if case .heldBack = state { true } else { false }
    }

    /// Whether the connection can carry another exchange, as far as this response goes.
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
        case .refused:
            state = .over
            return .failed(.malformed)
        case .head(let head) where head.status < 200:
            headEnd = nil
            interimCount += 1
            // 101 answers an Upgrade that was never passed on.
            guard !head.isSwitchingProtocols, interimCount <= interimMax else {
                state = .over
                return .failed(.malformed)
            }
            return .interim(head)
        case .head(let head):
            headEnd = nil
            return .head(head)
        }
    }

    /// The head that `read` has found goes on; a first part of its body is to be read at once.
    mutating func passedHead(_ head: ResponseHead, limits: MessageLimits) {
        state = .body
        persists = head.isPersistent && head.framing != .untilClose
        framing = head.framing
        body = BodyReader(head.framing, from: .backend, limits: limits)
    }

    /// The head that `read` has found waits.
    mutating func holdBack() { state = .heldBack }

    /// The head that was held back is read again. Returns whether one was.
    mutating func passHead() -> Bool {
        guard isHeldBack else { return false }
        state = .head
        return true
    }

    /// - Parameter fields: filled with the trailers where the body ends with some.
    mutating func readBody(_ bytes: inout ByteBuffer, _ fields: FieldTable) -> BodyPart {
        let part = body.read(&bytes, fields)
        if part.end != nil {
            state = .over
            hasSurplus = bytes.readableBytes > 0
            if case .refused = part.end { persists = false }
        }
        return part
    }

    /// The connection reported an error: its end says nothing of the response's.
    mutating func connectionFailed() { hasFailed = true }

    /// The connection is closed: what that means for the response. Nothing while its head is held back; say it again
    /// when that has gone on.
    @discardableResult
    mutating func connectionClosed() -> Event {
        switch state {
        case .head:
            state = .over
            return .failed(.lost(afterInterim: interimCount > 0))
        case .heldBack, .over:
            return .wait
        case .body:
            state = .over
            // A body without a length ends with the connection, if that ends in good order.
            guard framing == .untilClose, !hasFailed else { return .failed(.cut) }
            return .body(BodyPart(content: ByteBuffer(), end: .complete(trailers: [])))
        }
    }
}
