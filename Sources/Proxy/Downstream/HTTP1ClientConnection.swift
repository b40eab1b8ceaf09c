import HTTPWire
import NIOCore
import NIOSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// One HTTP/1.x connection to a client: reads request heads, gives each to an ``Exchange``, one at a time and in order,
/// and writes the responses. It decides about persistence, versions and the framing of bodies.
final class HTTP1ClientConnection: ChannelInboundHandler, RemovableChannelHandler, ClientConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// Between requests, or reading a head. → busy, closing, closed
        case awaitingHead
        /// An exchange is in progress. → awaitingHead, closing, closed
        case busy(Exchange)
        /// The last response is being sent; further input is discarded. → closed
        case closing
        case closed
    }

    private let worker: Worker
    private let loop: LoopContext
    let entryPoint: EntryPoint
    /// Nil: without TLS.
    private let tls: TLSConnectionInfo?
    private var identity: ClientConnectionInfo?
    private var context: ChannelHandlerContext?
    private var state = State.awaitingHead
    private var input = ConnectionInput()
    private let writer: SocketWriter
    private var output: ConnectionOutput
    private var headEnd: HeadEnd
    /// No piece of the next head has been scanned yet.
    private var isAtHeadStart = true
    /// The current deadline is the one of an idle connection, not of a head.
    private var isIdle = false
    private var isConsuming = false
    /// The client sends nothing more; it may still read (RFC 9112, section 9.6).
    private var inputIsClosed = false
    private var request: HTTP1Request
    private(set) var isWritable = true
    private(set) var deadline = NIODeadline.distantFuture
    private var bounds = RequestBounds()
    var sweepIndex = -1

    init(worker: Worker, entryPoint: EntryPoint, tls: TLSConnectionInfo? = nil) {
        self.worker = worker
        self.entryPoint = entryPoint
        self.tls = tls
        loop = worker.loop
        writer = SocketWriter()
        output = ConnectionOutput(writer)
        headEnd = HeadEnd(limits: loop.limits.message)
        request = HTTP1Request(limits: loop.limits.message)
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        // After the opening of a connection that may use TLS, the channel is active already.
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) { begin(context) }

    private func begin(_ context: ChannelHandlerContext) {
        guard identity == nil else { return }
        identity = ClientConnectionInfo(
            remote: context.channel.remoteAddress, tls: tls, entryPoint: entryPoint, replicaName: loop.replicaName)
        // What a TLS handler must encrypt never goes to the socket from here.
        if loop.sendsDirectly, tls == nil { writer.useSocket(of: context) }
        worker.clientOpened(self, at: entryPoint)
        bounds.connectionOpened(entryPoint.limits, now: .now())
        beginHead()
        input.read(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        writer.forget()
        let last = state
        state = .closed
        input.clear()
        self.context = nil
        worker.clientClosed(self, at: entryPoint)
        if case .busy(let exchange) = last { exchange.clientClosed() }
        // The channel may close in the middle of ``speakHTTP2(_:)``, while this handler is still before its successor.
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if var all = input.joined(with: &bytes) {
            consume(&all)
            if all.readableBytes > 0 { hold(all) }
        } else {
            consume(&bytes)
            // The receive buffer belongs to the loop; bytes that stay here are copied out of it.
            if bytes.readableBytes > 0 { hold(loop.copy(bytes)) }
        }
        loop.receiveBuffers.giveBack(bytes)
    }

    /// No later handler needs this event.
    func channelReadComplete(context: ChannelHandlerContext) {
        input.read(context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { inputClosed() } else { context.fireUserInboundEventTriggered(event) }
    }

    /// Requests that arrived completely are still answered.
    private func inputClosed() {
        inputIsClosed = true
        if case .awaitingHead = state { closeAfterResponse() }
        closeIfBodyIsCut()
    }

    /// If the input has closed before the end of a body, that body will never be complete. Held bytes count as
    /// received.
    private func closeIfBodyIsCut() {
        guard inputIsClosed, !isConsuming, case .busy(let exchange) = state, !request.isComplete else { return }
        if input.held == nil || exchange.takesRequestBody { close() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        guard case .busy(let exchange) = state else { return }
        exchange.clientWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A client of TLS that closes without saying so: as without TLS, its input has closed.
        if tls != nil, case NIOSSLError.uncleanShutdown = error { return }
        // The client reset the connection. The channel closes; no response can be sent.
        writer.close(context)
    }

    func deadlinePassed() {
        deadline = .distantFuture
        switch state {
        case .awaitingHead:
            guard let held = input.held else { return close() }
            refuse(Cause(.requestTimeout), bodiless: held.withUnsafeReadableBytes(Method.isHead))
        case .busy(let exchange):
            if bounds.isResponseDue(.now()) { exchange.responseTimedOut() } else { exchange.clientTimedOut() }
        case .closing:
            close()
        case .closed:
            break
        }
    }

    // MARK: Input

    /// Passes bytes to the head parser or the exchange, until none are left or the current consumer does not want them.
    private func consume(_ bytes: inout ByteBuffer) {
        isConsuming = true
        defer { isConsuming = false }
        while bytes.readableBytes > 0 {
            switch state {
            case .awaitingHead:
                guard readHead(&bytes) else { return }
            case .busy(let exchange):
                guard readBody(&bytes, exchange) else { return }
            case .closing, .closed:
                bytes.clear()
            }
        }
    }

    /// Keeps bytes for later. During an exchange this bounds the input: nothing more is read until the bytes are
    /// consumed.
    private func hold(_ bytes: ByteBuffer) {
        switch state {
        case .awaitingHead:
            input.hold(bytes)
        case .busy:
            input.hold(bytes)
            if !wantsMore { pauseReading() }
        case .closing, .closed:
            break
        }
    }

    /// Offers the held bytes again.
    private func consumeHeld() {
        guard !isConsuming, var bytes = input.take() else { return }
        consume(&bytes)
        if bytes.readableBytes > 0 { hold(bytes) }
    }

    /// Returns false if the head is incomplete.
    private func readHead(_ bytes: inout ByteBuffer) -> Bool {
        let scan = bytes.withUnsafeReadableBytes { source -> RequestScan in
            guard isAtHeadStart || headEnd.find(in: source) else { return .incomplete }
            return loop.scanner.scanRequest(source, into: loop.requestFields)
        }
        switch scan {
        case .incomplete:
            awaitRestOfHead()
            return false
        case .refused where mayBeginHTTP2(bytes):
            guard bytes.readableBytes >= Self.preface.count else {
                awaitRestOfHead()
                return false
            }
            speakHTTP2(&bytes)
            return true
        case .refused(let refusal):
            refuse(Cause(request: refusal), bodiless: bytes.withUnsafeReadableBytes(Method.isHead))
            return true
        case .head(let head):
            start(head, &bytes)
            return true
        }
    }

    /// The timeout runs from the first byte of a head to its last; later pieces do not extend it.
    private func awaitRestOfHead() {
        if isIdle { beginHead() }
        isIdle = false
        isAtHeadStart = false
    }

    /// What the preface of HTTP/2 has in the place of a head.
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\n".utf8)

    /// Whether this is the first of a client that knows of our HTTP/2 (RFC 9113, sections 3.3 and 3.4), as far as it
    /// has arrived.
    private func mayBeginHTTP2(_ bytes: ByteBuffer) -> Bool {
        guard entryPoint.servesHTTP2, tls == nil, !bounds.hasServed else { return false }
        return Self.preface.starts(with: bytes.readableBytesView.prefix(Self.preface.count))
    }

    private func speakHTTP2(_ bytes: inout ByteBuffer) {
        guard let context else { return }
        let first = bytes.readSlice(length: bytes.readableBytes) ?? ByteBuffer()
        let successor = HTTP2ClientConnection(worker: worker, entryPoint: entryPoint)
        state = .closed
        self.context = nil
        writer.forget()
        worker.clientClosed(self, at: entryPoint)
        do {
            try context.pipeline.syncOperations.addHandler(successor, position: .after(context.handler))
        } catch {
            return context.close(promise: nil)
        }
        context.fireChannelRead(NIOAny(first))
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    private func beginHead() {
        deadline = bounds.headBegan(entryPoint.limits, now: .now())
    }

    private func start(_ head: RequestHead, _ bytes: inout ByteBuffer) {
        guard let identity else { return close() }
        if !isAtHeadStart { headEnd = HeadEnd(limits: loop.limits.message) }
        isAtHeadStart = true
        isIdle = false
        request.begin(head)
        bounds.headEnded(hasBody: head.framing.hasBody, entryPoint.limits, now: .now())
        setDeadline(.distantFuture)
        let exchange = Exchange(head, for: .http1(self), worker: worker)
        state = .busy(exchange)
        bytes.withUnsafeReadableBytes { bytes in
            exchange.start(RequestView(head: head, bytes: bytes, fields: loop.requestFields, client: identity))
        }
        bytes.moveReaderIndex(forwardBy: head.length)
        exchange.headWasTaken()
    }

    /// Returns false if the exchange takes no more of the body for now, or does not want it.
    private func readBody(_ bytes: inout ByteBuffer, _ exchange: Exchange) -> Bool {
        guard !request.isComplete, exchange.takesRequestBody else { return false }
        let before = bytes.readableBytes
        exchange.receivedRequest(request.readBody(&bytes, loop.requestFields))
        return bytes.readableBytes < before
    }

    // MARK: Called by the exchange

    /// The time by which the client must have sent or taken something, within the bounds of the request as a whole.
    func setDeadline(_ deadline: NIODeadline) {
        self.deadline = bounds.earliest(deadline, requestIsComplete: request.isComplete)
    }

    /// The next piece of the request's body must arrive within the entry point's limit.
    func expectBody() { setDeadline(.after(entryPoint.limits.bodyGapTimeout)) }

    /// The exchange must be over within this time.
    func bound(by amount: TimeAmount) {
        bounds.bound(by: .now() + amount)
        deadline = bounds.earliest(deadline, requestIsComplete: request.isComplete)
    }

    /// There is room for the body: offers the held bytes again and resumes reading.
    func wantInput() {
        consumeHeld()
        // Held bytes may be the start of an element that is complete only with more bytes.
        if input.held == nil || wantsMore { resumeReading() }
        closeIfBodyIsCut()
    }

    private var wantsMore: Bool {
        switch state {
        case .awaitingHead, .closing: true
        case .busy(let exchange): !request.isComplete && exchange.wantsRequestBody
        case .closed: false
        }
    }

    func pauseReading() {
        input.pause()
    }

    private func resumeReading() {
        if let context { input.resume(context) }
    }

    func sendInterim(_ response: ResponseView) {
        guard request.version == .http11, let context else { return }
        output.writeHead(loop) { DownstreamHead.writeInterim(response, into: &$0) }
        output.flush(context, loop)
    }

    func sendHead(_ response: ResponseView, adding additions: ResponseAdditions) {
        guard !response.head.isSwitchingProtocols else { return sendSwitch(response, adding: additions) }
        let framing = request.answer(with: response.head.framing, mayPersist: mayPersist)
        output.coding = framing.coding
        output.writeHead(loop) {
            DownstreamHead.write(response, framing, adding: additions, date: { loop.dateLine() }, into: &$0)
        }
    }

    /// The head of a 101, the last one that this connection sends.
    private func sendSwitch(_ response: ResponseView, adding additions: ResponseAdditions) {
        output.writeHead(loop) { DownstreamHead.writeInterim(response, adding: additions, into: &$0) }
    }

    func send(_ content: ByteBuffer) {
        if let context { output.write(content, context, loop) }
    }

    func flush() {
        if let context { output.flush(context, loop) }
    }

    func end(trailers: [UInt8]) {
        output.writeEnd(trailers: trailers, loop)
        flush()
        exchangeEnded()
    }

    func send(_ answer: LocalResponse, adding edits: FieldEdits?, bodiless: Bool, closing: Bool) -> Int {
        // If the rest of the request's body is still to come, it will not be read.
        let persists = request.answer(mayPersist: mayPersist && !closing)
        var bodySize = 0
        output.coding = .plain
        output.writeHead(loop) {
            let date = loop.dateLine()
            bodySize = Int(answer.write(into: &$0, edits: edits, date: date, closing: !persists, bodiless: bodiless))
        }
        return bodySize
    }

    /// If the body ends with the connection, only a reset distinguishes a truncated response from a complete one.
    func cutResponse() {
        if request.responseEndsWithConnection, let socket = context?.channel as? any SocketOptionProvider {
            _ = socket.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        // With TLS the response would look complete after a close_notify (RFC 8446, section 6.1).
        if tls != nil, let context {
            writer.forget()
            return ConnectionOpening.closeBelowTLS(context)
        }
        close()
    }

    private var mayPersist: Bool {
        !loop.isStopping && !(inputIsClosed && input.held == nil) && bounds.mayPersist(entryPoint.limits, now: .now())
    }

    /// The exchange is over and its response written. The connection reads the next request, or closes.
    private func exchangeEnded() {
        guard case .busy = state else { return }
        guard request.persists, !loop.isStopping else { return closeAfterResponse() }
        state = .awaitingHead
        isIdle = true
        bounds.exchangeEnded()
        deadline = loop.deadlines.deadline(in: entryPoint.limits.idleTimeout)
        wantInput()
        if inputIsClosed, case .awaitingHead = state { closeAfterResponse() }
    }

    /// The exchange ends with a switch of protocols: releases the connection for the new protocol. Nil if it has
    /// closed.
    func handOver() -> DetachedConnection? {
        flush()
        // The flush may have found that the client has closed.
        guard case .busy = state, let context else { return nil }
        let connection = input.handOver(context, writer: writer, isClosed: inputIsClosed)
        state = .closed
        self.context = nil
        worker.clientClosed(self, at: entryPoint)
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
        return connection
    }

    /// Stops accepting requests. An idle connection has a moment left for a request that is already on its way.
    func stop(by last: NIODeadline) {
        if case .awaitingHead = state, input.held == nil { deadline = min(deadline, last) }
    }

    func goAway(by last: NIODeadline) {}

    func cut() {
        if case .busy(let exchange) = state { exchange.stopped() }
        close()
    }

    // MARK: Ends

    /// Answers a request that never became an exchange, and closes: the start of the next request is unknown.
    private func refuse(_ cause: Cause, bodiless: Bool) {
        let answer = LocalResponse(cause)
        loop.counters.refused[cause.reason, default: 0] &+= 1
        output.writeHead(loop) {
            _ = answer.write(into: &$0, date: loop.dateLine(), closing: true, bodiless: bodiless)
        }
        flush()
        if let log = loop.exchangeLog, let identity {
            log.append(ExchangeLogEntry(refused: cause, status: answer.status, from: identity))
        }
        closeAfterResponse()
    }

    /// Closes the output after everything that is still to be written, then discards input for a while: a reset would
    /// destroy the response in flight.
    private func closeAfterResponse() {
        guard let context else { return }
        state = .closing
        input.clear()
        deadline = .now() + loop.limits.stallTimeout
        writer.afterWrites(context) { [self] in responseHasLeft() }
        resumeReading()
    }

    private func responseHasLeft() {
        guard case .closing = state else { return }
        deadline = .now() + loop.limits.lingerTimeout
        if let context { writer.close(context, .output) }
    }

    private func close() {
        if let context { writer.close(context) }
    }
}

@available(*, unavailable)
extension HTTP1ClientConnection: Sendable {}
