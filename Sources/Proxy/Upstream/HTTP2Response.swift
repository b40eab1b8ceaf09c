import HTTPWire
import NIOCore

/// One response received over an HTTP/2 stream: interim heads, the head, the body, its end. Takes what the connection's
/// session reports and returns events. The stream's window bounds what waits here.
struct HTTP2Response {
    enum HeadEvent {
        case interim(ResponseHead)
        /// The caller calls `passedHead`, or `holdBack`.
        case head(ResponseHead)
        case failed(UpstreamFailure)
    }

    enum Event {
        case part(BodyPart)
        case failed(UpstreamFailure)
    }

    /// Why the stream has ended before the response was complete.
    enum Break {
        /// - Parameter detail: what the backend said of our certificate, which ended the connection.
        case lost(detail: String? = nil)
        /// Nothing came for a long time, and a PING had no answer.
        case silent
        /// The backend has said that it did nothing with the request.
        case notProcessed
        /// What the backend did wrong.
        case refused(Cause)
        /// The request is for a WebSocket, and the backend takes none.
        case takesNoTunnel
    }

    private enum State {
        /// → heldBack, body, over
        case head
        /// A complete head has arrived and is held back. → body, over
        case heldBack(ByteBuffer)
        /// → over
        case body
        /// The end was returned, or a failure.
        case over
    }

    private let interimMax: Int
    private let method: Method
    /// The protocols to which the request lets the backend switch.
    private let offer: UpgradeProtocols
    /// The protocols to which the backend has switched; none before a 101.
    private(set) var accepted = UpgradeProtocols()
    private var state = State.head
    private var interimCount = 0
    /// The first part of the body is due, even if it is empty.
    private var owesPart = false
    private var content: ByteBuffer?
    /// The bytes of `content` belong to the buffer of the read that brought them.
    private var isBorrowed = false
    private var end: BodyPart.End?
    private var failure: UpstreamFailure?
    /// Bytes that count against the backend's window.
    private var unconsumed = 0

    init(to method: Method, offering offer: UpgradeProtocols = UpgradeProtocols(), limits: ProxyLimits) {
        self.method = method
        self.offer = offer
        interimMax = limits.interimResponses
    }

    var isHeldBack: Bool {
        if case .heldBack = state { true } else { false }
    }

    /// The backend has sent everything.
    var isComplete: Bool { end != nil }

    // MARK: Heads

    /// - Parameters:
    ///   - bytes: the head in the form of HTTP/1.1.
    ///   - ends: nothing follows.
    mutating func readHead(_ bytes: UnsafeRawBufferPointer, ends: Bool, _ loop: LoopContext) -> HeadEvent {
        guard case .head = state else { return refused(Cause(.responseRefused, "a second head")) }
        if ends { end = .complete(trailers: []) }
        switch loop.scanner.scanResponse(bytes, requestMethod: method, into: loop.responseFields) {
        case .incomplete:
            return refused(Cause(.responseRefused))
        case .refused(let refusal):
            return refused(Cause(response: refusal))
        case .head(let head) where head.isSwitchingProtocols:
            guard let accepted = offer.accepted(by: loop.responseFields, in: bytes) else {
                return refused(Cause(.switchRefused))
            }
            self.accepted = accepted
            return .head(head)
        case .head(let head) where head.status < 200:
            interimCount += 1
            guard interimCount <= interimMax else {
                return refused(Cause(.responseRefused, "more than \(interimMax) interim responses"))
            }
            return .interim(head)
        case .head(let head):
            return .head(head)
        }
    }

    private mutating func refused(_ cause: Cause) -> HeadEvent {
        state = .over
        return .failed(.refused(cause))
    }

    /// The head is forwarded.
    mutating func passedHead() {
        state = .body
        owesPart = true
    }

    mutating func holdBack(_ bytes: UnsafeRawBufferPointer) { state = .heldBack(ByteBuffer(bytes: bytes)) }

    /// The head that is held back, to be read again; nil if none is.
    mutating func takeHeldHead() -> ByteBuffer? {
        guard case .heldBack(let bytes) = state else { return nil }
        state = .head
        return bytes
    }

    // MARK: The body

    mutating func received(_ bytes: ByteBuffer) {
        unconsumed += bytes.readableBytes
        if content == nil {
            content = bytes
            isBorrowed = true
        } else {
            content?.writeImmutableBuffer(bytes)
        }
    }

    mutating func received(_ end: BodyPart.End) { self.end = end }

    /// The stream has ended. That may be the end of a response that is complete.
    mutating func broke(_ cause: Break) {
        guard end == nil, failure == nil else { return }
        switch state {
        case .head: failure = failure(by: cause, afterInterim: interimCount > 0)
        case .heldBack, .body: failure = .cut
        case .over: break
        }
    }

    private func failure(by cause: Break, afterInterim: Bool) -> UpstreamFailure {
        switch cause {
        case .lost(let detail): .lost(afterInterim: afterInterim, detail: detail)
        case .silent: .silent(afterInterim: afterInterim)
        case .notProcessed: afterInterim ? .lost(afterInterim: true) : .notProcessed
        case .refused(let cause): .refused(cause)
        case .takesNoTunnel: .takesNoTunnel
        }
    }

    /// Everything that arrived was delivered, or nobody wants it, and nothing follows.
    var isOver: Bool {
        if case .over = state { true } else { false }
    }

    /// What can be delivered now. Nil: nothing more for now.
    ///
    /// - Parameter isPaused: the body waits, and only a failure is delivered, instead of the rest of the body.
    mutating func next(isPaused: Bool) -> Event? {
        switch state {
        case .over, .heldBack: return nil
        case .head: return takeFailure()
        case .body:
            if isPaused { return takeFailure() }
            guard content != nil || owesPart || end != nil else { return takeFailure() }
            owesPart = false
            if end != nil { state = .over }
            return .part(BodyPart(content: content.take() ?? ByteBuffer(), end: end))
        }
    }

    private mutating func takeFailure() -> Event? {
        guard let failure else { return nil }
        state = .over
        return .failed(failure)
    }

    /// What was delivered since the last call, and is used up.
    mutating func takeConsumed() -> Int {
        let held = content?.readableBytes ?? 0
        defer { unconsumed = held }
        return unconsumed - held
    }

    /// Nobody wants the rest. Returns how much of it had arrived.
    mutating func abandon() -> Int {
        content = nil
        state = .over
        return takeConsumed()
    }

    /// The read is over: bytes that stay are copied out of its buffer.
    mutating func keep(_ loop: LoopContext) {
        guard isBorrowed else { return }
        isBorrowed = false
        if let held = content { content = loop.copy(held) }
    }
}
