import HTTP2Wire
import HTTPWire
import NIOCore

/// One request of an HTTP/2 connection, and its response: passes the request to an ``Exchange``, and keeps what the
/// response has ready until the connection can send it. Streams of a connection wait for each other in nothing.
final class HTTP2ClientStream: DeadlineHolder {
    private enum State {
        /// → responding, tunnel, closed
        case open(Exchange)
        /// The backend has switched protocols. → closed
        case tunnel(Tunnel)
        /// The exchange is over, and the rest of its response is being sent. → closed
        case responding
        case closed
    }

    /// More of a response than this waits at its backend.
    static let outputMax = 64 * 1024

    let id: Int32
    private let connection: HTTP2ClientConnection
    private var state = State.responding
    private(set) var deadline = NIODeadline.distantFuture
    var sweepIndex = -1
    private var bounds = RequestBounds()
    private var input = HTTP2StreamInput()
    private var output = ContentQueue()
    /// The response is complete with what waits in `output`, and with these trailers.
    private var end: [UInt8]?
    /// The exchange was told, or found, that no more of the response can be taken.
    private var isFull = false
    /// The connection's frames of content when the client was last expected to take more of this stream's.
    private var framesBefore: UInt64 = 0
    /// The client sends nothing more.
    private(set) var inputIsClosed = false
    /// The other end of a tunnel takes nothing for now.
    private var isPaused = false
    private var isGRPC = false

    init(_ id: Int32, on connection: HTTP2ClientConnection) {
        self.id = id
        self.connection = connection
    }

    private var loop: LoopContext { connection.loop }
    private var session: HTTP2Session? { connection.session }
    var entryPoint: EntryPoint { connection.entryPoint }

    // MARK: The request

    /// - Parameter ends: nothing follows. What follows the head of an extended CONNECT is not a body.
    func begin(_ view: RequestView, ends: Bool, worker: Worker) {
        let hasBody = view.head.framing.hasBody
        bounds.headEnded(hasBody: hasBody, entryPoint.limits, now: .now())
        input.begin(hasBody: hasBody && !ends)
        inputIsClosed = ends
        // To an extended CONNECT, a gRPC error's 200 would mean a tunnel.
        if !view.head.wantsUpgrade, let call = GRPCCall(view) { begin(call) }
        setDeadline(.distantFuture)
        let exchange = Exchange(view.head, for: .http2(self), worker: worker)
        state = .open(exchange)
        exchange.start(view)
        exchange.headWasTaken()
    }

    private func begin(_ call: GRPCCall) {
        isGRPC = true
        if let timeout = call.timeout { bounds.bound(by: .now() + timeout) }
    }

    /// Answers a request that never became an exchange.
    func refuse(_ cause: Cause, bodiless: Bool, isGRPC: Bool) {
        self.isGRPC = isGRPC
        let answer = LocalResponse(cause)
        loop.counters.refused[cause.reason, default: 0] &+= 1
        _ = send(answer, adding: nil, bodiless: bodiless)
        end(trailers: [])
    }

    /// More of the request's body has arrived.
    func received(_ content: ByteBuffer) {
        switch state {
        case .open(let exchange):
            input.received(content)
            pass(to: exchange)
            input.keepContent(on: loop)
        case .tunnel(let tunnel):
            input.received(content)
            tunnel.received(takeUnread(), from: .client)
            if !isPaused { input.consume(session, id) }
        case .responding, .closed:
            input.discard(content, session, id)
        }
    }

    /// No more of the request's body follows.
    func received(_ end: BodyPart.End) {
        inputIsClosed = true
        switch state {
        case .open(let exchange):
            guard !input.isComplete else { return }
            input.received(end)
            pass(to: exchange)
        case .tunnel(let tunnel):
            tunnel.inputClosed(.client)
        case .responding, .closed:
            break
        }
    }

    /// Content that the exchange takes is given to it, and the client may send as much again once the backend has
    /// taken it.
    private func pass(to exchange: Exchange) {
        while exchange.takesRequestBody, let part = input.next() {
            exchange.receivedRequest(part)
            guard case .open = state else { break }
            if exchange.wantsRequestBody || input.isComplete { input.consume(session, id) }
        }
        connection.outputIsReady()
    }

    /// The next piece of the request's body must arrive within the entry point's limit.
    func expectBody() { setDeadline(.after(entryPoint.limits.bodyGapTimeout)) }

    /// What is not consumed is not sent again: the client's window closes.
    func pauseBody() {}

    func wantBody() {
        guard case .open(let exchange) = state else { return }
        input.consume(session, id)
        pass(to: exchange)
    }

    // MARK: Deadlines

    func setDeadline(_ deadline: NIODeadline) {
        self.deadline = bounds.earliest(deadline, requestIsComplete: input.isComplete)
    }

    func bound(by amount: TimeAmount) {
        bounds.bound(by: .now() + amount)
        deadline = bounds.earliest(deadline, requestIsComplete: input.isComplete)
    }

    func deadlinePassed() {
        deadline = .distantFuture
        if waitsForOthers { return expectOutput() }
        switch state {
        case .open(let exchange):
            if bounds.isResponseDue(.now()) { exchange.responseTimedOut() } else { exchange.clientTimedOut() }
        case .responding:
            // The client has not taken the rest of its response.
            session?.reset(id, HTTP2ErrorCode.cancel)
            connection.outputIsReady()
        case .tunnel, .closed:
            break
        }
    }

    /// The client takes other streams' content, and would take this one's: it is not this stream that it stalls.
    private var waitsForOthers: Bool {
        let waits =
            switch state {
            case .open: isFull && !bounds.isResponseDue(.now())
            case .responding: true
            case .tunnel, .closed: false
            }
        return waits && connection.contentFrames != framesBefore && session?.windowIsOpen(of: id) == true
    }

    /// The client must take more of what waits within the limit.
    private func expectOutput() {
        framesBefore = connection.contentFrames
        setDeadline(.now() + loop.limits.stallTimeout)
    }

    // MARK: The response

    var isWritable: Bool {
        if output.count < Self.outputMax { return true }
        isFull = true
        framesBefore = connection.contentFrames
        return false
    }

    func sendInterim(_ response: ResponseView) {
        send {
            DownstreamHead.writeInterim(response, into: &$0)
        } by: {
            session?.send(interim: $0, on: id)
        }
        connection.outputIsReady()
    }

    func sendHead(_ response: ResponseView, adding additions: ResponseAdditions) {
        let framing = ResponseFraming(
            coding: .plain, addsTransferEncoding: false, removesTransferEncoding: true, connection: .none)
        guard !response.head.isSwitchingProtocols else { return sendSwitch(response, adding: additions) }
        sendHead(ends: !response.head.framing.hasBody && !response.endsLater) {
            DownstreamHead.write(response, framing, adding: additions, date: { loop.dateLine() }, into: &$0)
        }
    }

    /// The stream becomes a tunnel by a status 200, and HTTP/2 has no key of a handshake (RFC 8441, section 5).
    private func sendSwitch(_ response: ResponseView, adding additions: ResponseAdditions) {
        "sec-websocket-accept".utf8.withContiguousStorageIfAvailable {
            response.fields.removeAll(named: UnsafeRawBufferPointer($0), in: response.bytes)
        }
        session?.keepInput(of: id)
        sendHead(ends: false) {
            DownstreamHead.writeInterim(response, adding: additions, into: &$0)
            $0.setString("200", at: $0.readerIndex + "HTTP/1.1 ".utf8.count)
        }
    }

    func send(_ content: ByteBuffer) {
        output.append(content)
        if case .tunnel = state { flush() }
    }

    /// - Returns: the size of the body.
    func send(_ answer: LocalResponse, adding edits: FieldEdits?, bodiless: Bool) -> Int {
        if isGRPC {
            sendHead(ends: true) { GRPCStatus.write(answer, into: &$0) }
            return 0
        }
        var buffer = loop.spareBuffers.take()
        let date = loop.dateLine()
        let size = Int(answer.write(into: &buffer, edits: edits, date: date, closing: false, bodiless: bodiless))
        let head = buffer.readableBytes - size
        if let body = buffer.getSlice(at: buffer.readerIndex + head, length: size) { output.append(body) }
        sendHead(ends: size == 0) {
            $0.writeImmutableBuffer(buffer.getSlice(at: buffer.readerIndex, length: head) ?? buffer)
        }
        loop.spareBuffers.giveBack(buffer)
        return size
    }

    func flush() {
        if output.count > 0 || end != nil { session?.resume(id) }
        connection.outputIsReady()
    }

    private func sendHead(ends: Bool, _ write: (inout ByteBuffer) -> Void) {
        var isSent = false
        send(write) { isSent = session?.send(response: $0, on: id, ends: ends) ?? false }
        if !isSent { session?.reset(id, HTTP2ErrorCode.internalError) }
    }

    private func send(_ write: (inout ByteBuffer) -> Void, by send: (UnsafeMutableRawBufferPointer) -> Void) {
        var buffer = loop.spareBuffers.take()
        write(&buffer)
        buffer.withUnsafeMutableReadableBytes(send)
        loop.spareBuffers.giveBack(buffer)
    }

    // MARK: The end of the exchange

    func end(trailers: [UInt8]) {
        guard hasExchange || end == nil else { return }
        end = trailers
        finish()
        session?.resume(id)
        connection.outputIsReady()
    }

    /// The response cannot be completed.
    func cutResponse() {
        output.clear()
        finish()
        session?.reset(id, HTTP2ErrorCode.internalError)
        connection.outputIsReady()
    }

    private func finish() {
        input.abandon(session, id)
        if case .closed = state { return }
        state = .responding
        bounds.exchangeEnded()
        expectOutput()
    }

    private var hasExchange: Bool {
        if case .open = state { true } else { false }
    }

    /// The stream is closed, by both ends or by a reset.
    func closed(error: UInt32) {
        let last = state
        state = .closed
        deadline = .distantFuture
        output.clear()
        input.abandon(session, id)
        switch last {
        case .open(let exchange):
            exchange.clientClosed()
        case .tunnel(let tunnel):
            if error != HTTP2ErrorCode.noError { tunnel.failed(.client) }
            tunnel.closed(.client)
        case .responding, .closed:
            break
        }
    }

    /// The client takes nothing of the connection.
    func stalled() {
        guard case .open(let exchange) = state else { return }
        exchange.clientTimedOut()
    }

    /// The replica stops.
    func stopped() {
        guard case .open(let exchange) = state else { return }
        exchange.stopped()
    }

    // MARK: Asked by the connection

    func content(atMost limit: Int) -> HTTP2Content {
        let count = min(limit, output.count)
        guard count == output.count, let trailers = end else { return HTTP2Content(count: count, end: .goesOn) }
        if !trailers.isEmpty, session?.send(trailers: trailers, of: id) == true {
            return HTTP2Content(count: count, end: .completeWithTrailers)
        }
        return HTTP2Content(count: count, end: .complete)
    }

    /// - Returns: whether the exchange must be told that it may go on.
    func write(_ count: Int, into buffer: inout ByteBuffer) -> Bool {
        output.move(atMost: count, to: &buffer)
        switch state {
        case .open where isFull, .responding: expectOutput()
        case .open, .tunnel, .closed: break
        }
        guard isFull, output.count < Self.outputMax / 2 else { return false }
        isFull = false
        return true
    }

    func becameWritable() {
        switch state {
        case .open(let exchange): exchange.clientWritabilityChanged()
        case .tunnel(let tunnel): tunnel.writabilityChanged(.client)
        case .responding, .closed: break
        }
    }
}

// MARK: - The end of a tunnel

extension HTTP2ClientStream: TunnelEnd {
    var side: Tunnel.Side { .client }

    var isOpen: Bool {
        if case .closed = state { false } else { true }
    }

    func become(_ tunnel: Tunnel) {
        state = .tunnel(tunnel)
        deadline = .distantFuture
        flush()
    }

    func takeUnread() -> ByteBuffer { input.takeContent() }

    func read() { resumeReading() }

    func pauseReading() { isPaused = true }

    func resumeReading() {
        isPaused = false
        input.consume(session, id)
        connection.outputIsReady()
    }

    func closeOutput() {
        guard end == nil else { return }
        end = []
        flush()
    }

    func close() {
        guard isOpen else { return }
        session?.reset(id, HTTP2ErrorCode.cancel)
        connection.outputIsReady()
    }
}

@available(*, unavailable)
extension HTTP2ClientStream: Sendable {}
