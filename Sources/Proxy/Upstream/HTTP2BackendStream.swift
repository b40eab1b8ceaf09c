import HTTP2Wire
import HTTPWire
import NIOCore

/// A place on an HTTP/2 connection to a backend, and then the stream of one exchange.
final class HTTP2BackendStream: DeadlineHolder {
    private enum State {
        /// Nothing is sent. → open, over
        case placed
        /// → tunnel, over
        case open(any UpstreamReceiver)
        /// The backend has accepted a WebSocket. → over
        case tunnel(Tunnel)
        case over
    }

    /// More of a request than this waits at its client.
    static let outputMax = 64 * 1024

    /// Given by the connection when the request is sent; 0 before.
    var id: Int32 = 0
    let connection: HTTP2BackendConnection
    private var state = State.placed
    var deadline = NIODeadline.distantFuture
    var sweepIndex = -1
    private var response: HTTP2Response
    private var isPaused = false
    private var output = ContentQueue()
    /// The request is complete with what waits in `output`, and with these trailers.
    private var trailers: [UInt8]?
    private var hasSentEnd = false
    /// The exchange found that no more of the request can be taken.
    private var isFull = false
    /// The connection is going to ask for what can be delivered; only the connection writes it.
    var isTouched = false
    /// How many reads the connection had made when the request was sent.
    private(set) var readsBefore: UInt64 = 0
    /// What answers the nonce of the request; empty if it has none, or is not for a WebSocket.
    private(set) var webSocketAccept: [UInt8] = []
    /// The connection has no such stream any more.
    private var isClosed = false

    init(on connection: HTTP2BackendConnection) {
        self.connection = connection
        response = HTTP2Response(to: .get, limits: connection.loop.limits)
    }

    private var loop: LoopContext { connection.loop }
    private var session: HTTP2Session? { connection.session }

    var isUsable: Bool { connection.isUsable }

    // MARK: Called by the exchange

    func send(
        _ head: ByteBuffer, method: Method, framing: BodyFraming, offering offer: UpgradeProtocols = .init(),
        acceptsTrailers: Bool, for receiver: any UpstreamReceiver
    ) {
        guard case .placed = state else { return }
        state = .open(receiver)
        readsBefore = connection.reads
        guard offer.isEmpty || !offer.areWebSocket else { return open(webSocket: head, method, offer) }
        response = HTTP2Response(to: method, limits: loop.limits)
        hasSentEnd = !framing.hasBody
        connection.open(self, head, acceptsTrailers: acceptsTrailers, ends: !framing.hasBody)
    }

    /// What follows the head is the WebSocket's, in both directions (RFC 8441, section 4).
    private func open(webSocket head: ByteBuffer, _ method: Method, _ offer: UpgradeProtocols) {
        response = HTTP2Response(to: method, offering: offer, limits: loop.limits)
        webSocketAccept = head.withUnsafeReadableBytes(WebSocketAccept.answer(toHead:))
        connection.open(webSocket: self, head)
    }

    var isWritable: Bool {
        if output.count < Self.outputMax { return true }
        isFull = true
        return false
    }

    func send(_ part: BodyPart) {
        guard case .open = state, trailers == nil else { return }
        output.append(part.content)
        if case .complete(let trailers) = part.end { self.trailers = trailers }
    }

    func flush() {
        guard isOpen else { return }
        if output.count > 0 || trailers != nil { session?.resume(id) }
        connection.outputIsReady()
    }

    /// What is not consumed is not sent again: the backend's window closes.
    func pauseReading() { isPaused = true }

    func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        consume()
        connection.touch(self)
        connection.outputIsReady()
    }

    /// Delivers the head that was held back, and everything after it, including the end of the stream.
    func passHead() {
        guard let head = response.takeHeldHead() else { return }
        head.withUnsafeReadableBytes { received(head: $0, ends: false) }
        deliver()
    }

    /// The exchange is over, and takes nothing more.
    func end() {
        switch state {
        case .placed:
            state = .over
            connection.giveBackPlace()
        case .open, .tunnel: letGo()
        case .over: break
        }
    }

    private func letGo() {
        state = .over
        loop.deadlines.remove(self)
        output.clear()
        session?.consume(response.abandon(), of: id)
        let isComplete = response.isComplete
        connection.ended(
            self,
            resettingBy: isComplete && hasSentEnd
                ? nil : isComplete ? HTTP2ErrorCode.noError : HTTP2ErrorCode.cancel)
    }

    func deadlinePassed() {
        deadline = .distantFuture
        guard case .open(let receiver) = state else { return }
        connection.timedOut(self)
        receiver.upstreamTimedOut()
    }

    // MARK: Told by the connection

    func received(head bytes: UnsafeRawBufferPointer, ends: Bool) {
        guard case .open(let receiver) = state else { return }
        switch response.readHead(bytes, ends: ends, loop) {
        case .interim(let head):
            receiver.receivedInterim(ResponseView(head: head, bytes: bytes, fields: loop.responseFields))
        case .head(let head):
            let endsLater = !head.framing.hasBody && !response.isComplete
            let view = ResponseView(head: head, bytes: bytes, fields: loop.responseFields, endsLater: endsLater)
            guard receiver.receivedHead(view) else { return response.holdBack(bytes) }
            // The exchange may have left: the response is not used.
            guard case .open = state else { return }
            response.passedHead()
            if head.isSwitchingProtocols { receiver.switchedProtocols(to: response.accepted) }
        case .failed(let failure):
            receiver.upstreamFailed(failure)
        }
    }

    func received(_ content: ByteBuffer) { response.received(content) }

    func received(_ end: BodyPart.End) { response.received(end) }

    /// The stream has ended. That may be the end of an exchange that is complete.
    func closed(_ cause: HTTP2Response.Break) {
        isClosed = true
        response.broke(cause)
    }

    /// Passes on what has arrived. Content that the exchange takes is given to it, and the backend may send as much
    /// again once the client has taken it.
    func deliver() {
        while case .open(let receiver) = state, let event = response.next(isPaused: isPaused) {
            switch event {
            case .part(let part): receiver.received(part)
            case .failed(let failure): receiver.upstreamFailed(failure)
            }
        }
        deliverToTunnel()
        guard isOpen else { return }
        response.keep(loop)
        consume()
    }

    private func deliverToTunnel() {
        while case .tunnel(let tunnel) = state, let event = response.next(isPaused: isPaused) {
            switch event {
            case .part(let part):
                tunnel.received(part.content, from: .backend)
                if part.end != nil { tunnel.inputClosed(.backend) }
            case .failed:
                tunnel.failed(.backend)
            }
        }
        guard isClosed, response.isOver, case .tunnel(let tunnel) = state else { return }
        letGo()
        tunnel.closed(.backend)
    }

    private func consume() {
        if !isPaused { session?.consume(response.takeConsumed(), of: id) }
    }

    func content(atMost limit: Int) -> HTTP2Content {
        let count = min(limit, output.count)
        guard count == output.count, let trailers else { return HTTP2Content(count: count, end: .goesOn) }
        hasSentEnd = true
        if !trailers.isEmpty, session?.send(trailers: trailers, of: id) == true {
            return HTTP2Content(count: count, end: .completeWithTrailers)
        }
        return HTTP2Content(count: count, end: .complete)
    }

    /// - Returns: whether the exchange must be told that it may go on.
    func write(_ count: Int, into buffer: inout ByteBuffer) -> Bool {
        output.move(atMost: count, to: &buffer)
        guard isFull, output.count < Self.outputMax / 2 else { return false }
        isFull = false
        return true
    }

    func becameWritable() {
        switch state {
        case .open(let receiver): receiver.upstreamWritabilityChanged()
        case .tunnel(let tunnel): tunnel.writabilityChanged(.backend)
        case .placed, .over: break
        }
    }
}

// MARK: - The end of a tunnel

extension HTTP2BackendStream: TunnelEnd {
    var side: Tunnel.Side { .backend }

    var isOpen: Bool {
        switch state {
        case .open, .tunnel: true
        case .placed, .over: false
        }
    }

    func become(_ tunnel: Tunnel) {
        state = .tunnel(tunnel)
        deadline = .distantFuture
    }

    /// What has arrived comes once nobody is in the middle of a call.
    func read() { connection.touch(self) }

    func send(_ bytes: ByteBuffer) {
        guard trailers == nil else { return }
        output.append(bytes)
        flush()
    }

    func closeOutput() {
        guard trailers == nil else { return }
        trailers = []
        flush()
    }

    func close() {
        guard case .tunnel(let tunnel) = state else { return end() }
        letGo()
        tunnel.closed(.backend)
    }
}

@available(*, unavailable)
extension HTTP2BackendStream: Sendable {}
