import HTTPWire
import NIOCore

/// One HTTP/1.1 connection to a backend: carries one exchange at a time, and waits in its pool between exchanges. It
/// reads each response to its end, and decides whether it can carry another exchange.
final class HTTP1BackendConnection: ChannelInboundHandler, RemovableChannelHandler, DeadlineHolder {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// Connected and idle, on the way into the pool. → pooled, busy, closed
        case fresh
        /// → busy, closed
        case pooled
        /// Carries an exchange. → pooled, fresh (on the way to closed), closed
        case busy(any UpstreamReceiver)
        case closed
    }

    private let loop: LoopContext
    private let pool: BackendPool
    private var context: ChannelHandlerContext?
    private var state = State.fresh
    private var input = ConnectionInput()
    private let writer: SocketWriter
    private var output: ConnectionOutput
    private var response: HTTP1Response
    /// The end of the request has been sent.
    private var requestIsComplete = false
    private(set) var isWritable = true
    var deadline = NIODeadline.distantFuture
    var sweepIndex = -1
    /// The index among the idle connections; only the pool writes it.
    var poolIndex = -1

    init(loop: LoopContext, pool: BackendPool) {
        self.loop = loop
        self.pool = pool
        writer = SocketWriter()
        output = ConnectionOutput(writer)
        response = HTTP1Response(limits: loop.limits)
    }

    var isUsable: Bool {
        if case .closed = state { return false }
        return context != nil
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        // What a TLS handler must encrypt never goes to the socket from here.
        if loop.sendsDirectly, pool.backend.tls == nil { writer.useSocket(of: context) }
        loop.counters.backendConnections += 1
        loop.deadlines.add(self)
        input.read(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        writer.forget()
        let last = state
        letGo()
        switch last {
        case .pooled:
            state = .closed
            pool.idleConnectionClosed(self)
        case .busy(let receiver):
            // Held bytes are delivered first; the end of the connection is reported after them.
            if response.isHeldBack {
                response.connectionClosed()
            } else {
                state = .closed
                report(response.connectionClosed(), receiver)
            }
        case .fresh, .closed:
            state = .closed
        }
        if case .closed = state { input.clear() }
    }

    /// The channel no longer belongs to this handler.
    private func letGo() {
        context = nil
        loop.counters.backendConnections -= 1
        loop.deadlines.remove(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        guard case .busy(let receiver) = state else {
            // No request is in progress. These bytes would be confused with the next response.
            return writer.close(context)
        }
        if var all = input.joined(with: &bytes) {
            read(&all, receiver)
            keep(all)
        } else {
            read(&bytes, receiver)
            // The receive buffer belongs to the loop; bytes that stay here are copied out of it.
            if bytes.readableBytes > 0 { keep(loop.copy(bytes)) }
        }
        loop.receiveBuffers.giveBack(bytes)
    }

    /// No later handler needs this event.
    func channelReadComplete(context: ChannelHandlerContext) {
        input.read(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        if case .busy(let receiver) = state { receiver.upstreamWritabilityChanged() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        response.connectionFailed(BackendTLSError(afterHandshake: error)?.detail)
        writer.close(context)
    }

    func deadlinePassed() {
        deadline = .distantFuture
        switch state {
        case .fresh, .pooled: close()
        case .busy(let receiver): receiver.upstreamTimedOut()
        case .closed: break
        }
    }

    // MARK: The response

    /// Delivers the bytes to the receiver, as far as they are complete and wanted.
    private func read(_ bytes: inout ByteBuffer, _ receiver: any UpstreamReceiver) {
        while bytes.readableBytes > 0 {
            switch response.read(&bytes, loop) {
            case .wait:
                return
            case .interim(let head):
                bytes.withUnsafeReadableBytes { receiver.receivedInterim(view(head, $0)) }
                bytes.moveReaderIndex(forwardBy: head.length)
            case .head(let head):
                guard bytes.withUnsafeReadableBytes({ receiver.receivedHead(view(head, $0)) }) else {
                    response.holdBack()
                    return pauseReading()
                }
                // The exchange has left: the response is not used.
                guard isBusy else { return }
                response.passedHead(head, limits: loop.limits.message)
                bytes.moveReaderIndex(forwardBy: head.length)
                if head.isSwitchingProtocols { return switchProtocols(&bytes, receiver) }
                return receiver.received(response.readBody(&bytes, loop.responseFields))
            case .body(let part):
                return receiver.received(part)
            case .heldTooMuch:
                return passHead(&bytes, receiver)
            case .failed(let failure):
                return receiver.upstreamFailed(failure)
            }
            guard isBusy else { return }
        }
    }

    /// What follows the 101 belongs to the other protocol.
    private func switchProtocols(_ bytes: inout ByteBuffer, _ receiver: any UpstreamReceiver) {
        input.hold(loop.copy(bytes))
        bytes.moveReaderIndex(to: bytes.writerIndex)
        receiver.switchedProtocols(to: response.accepted)
    }

    private func view(_ head: ResponseHead, _ bytes: UnsafeRawBufferPointer) -> ResponseView {
        ResponseView(head: head, bytes: bytes, fields: loop.responseFields)
    }

    private func report(_ end: HTTP1Response.Event, _ receiver: any UpstreamReceiver) {
        switch end {
        case .body(let part): receiver.received(part)
        case .failed(let failure): receiver.upstreamFailed(failure)
        case .wait, .interim, .head, .heldTooMuch: break
        }
    }

    private var isBusy: Bool {
        if case .busy = state { true } else { false }
    }

    private func keep(_ bytes: ByteBuffer) {
        if isBusy { input.hold(bytes) }
    }

    /// Delivers the head that was held back, and everything after it, including the end of the connection.
    func passHead() {
        guard case .busy(let receiver) = state, var bytes = input.take() else { return }
        passHead(&bytes, receiver)
        keep(bytes)
        guard context == nil, case .busy(let receiver) = state else { return }
        state = .closed
        report(response.connectionClosed(), receiver)
    }

    private func passHead(_ bytes: inout ByteBuffer, _ receiver: any UpstreamReceiver) {
        guard response.passHead() else { return }
        resumeReading()
        read(&bytes, receiver)
    }

    // MARK: Called by the exchange

    func send(
        _ head: ByteBuffer, method: Method, framing: BodyFraming, offering offer: UpgradeProtocols,
        for receiver: any UpstreamReceiver
    ) {
        guard let context else { return }
        state = .busy(receiver)
        deadline = .distantFuture
        requestIsComplete = !framing.hasBody
        response.begin(method, offering: offer)
        output.coding = framing.isChunked ? .chunked : .plain
        output.send(head, context, loop)
    }

    func send(_ part: BodyPart) {
        guard let context else { return }
        output.write(part.content, context, loop)
        guard case .complete(let trailers) = part.end else { return }
        requestIsComplete = true
        output.writeEnd(trailers: trailers, loop)
    }

    func flush() {
        if let context { output.flush(context, loop) }
    }

    func pauseReading() {
        input.pause()
    }

    func resumeReading() {
        if let context { input.resume(context) }
    }

    /// The exchange is over. The connection serves another one only if its framing is beyond doubt.
    func end() {
        guard case .busy = state else { return }
        guard requestIsComplete, response.mayBeFollowed, input.held == nil, isUsable else {
            state = context == nil ? .closed : .fresh
            input.clear()
            return close()
        }
        resumeReading()
        becomeIdle()
    }

    /// The exchange ends with a switch of protocols: releases the connection for the new protocol. Nil if it has
    /// closed. Nothing is left to be sent: a request that may switch has no body.
    func handOver() -> DetachedConnection? {
        guard case .busy = state, let context else { return nil }
        let connection = input.handOver(context, writer: writer)
        state = .closed
        letGo()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
        return connection
    }

    // MARK: Called by the pool

    /// Parks a connection that was opened for an exchange that has ended.
    func park() {
        guard case .fresh = state, isUsable else { return }
        becomeIdle()
    }

    private func becomeIdle() {
        state = .pooled
        deadline = loop.deadlines.deadline(in: pool.limits.pool.idleTimeout)
        pool.giveBack(self)
    }

    func close() {
        if let context { writer.close(context) }
    }
}

@available(*, unavailable)
extension HTTP1BackendConnection: Sendable {}
