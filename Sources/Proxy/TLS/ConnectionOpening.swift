import NIOCore
import NIOSSL
import Routing

/// The beginning of a connection at an entry point that serves TLS: looks at the first bytes, and makes it a TLS
/// connection, by the name that the client asks for, or one of plain HTTP.
///
/// It leaves the pipeline of a plain connection. In front of TLS it stays, and returns the buffers of each read to the
/// event loop: the library does not keep them.
final class ConnectionOpening: ChannelInboundHandler, RemovableChannelHandler, ClientConnection {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// What the client wants to speak is not known yet. → handshaking, passing, closed
        case waiting
        /// → passing, closed
        case handshaking
        /// The connection is another handler's.
        case passing
        case closed
    }

    private let worker: Worker
    private let entryPoint: EntryPoint
    private let handshakes: HandshakeLimit
    private var state = State.waiting
    private var received: ByteBuffer?
    /// There is nothing to decide with fewer bytes.
    private var needed = 1
    /// What is counted in `handshakes`.
    private var source: [UInt8]?
    private var context: ChannelHandlerContext?
    private(set) var deadline = NIODeadline.distantFuture
    var sweepIndex = -1

    init(worker: Worker, entryPoint: EntryPoint, handshakes: HandshakeLimit = .shared) {
        self.worker = worker
        self.entryPoint = entryPoint
        self.handshakes = handshakes
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        worker.clientOpened(self, at: entryPoint)
        deadline = .now() + worker.loop.limits.handshakeTimeout
        context.read()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .waiting = state, received != nil, needed > 1 { count(.closed) }
        leave(.closed)
        received = nil
        context.fireChannelInactive()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        switch state {
        case .waiting:
            decide(context, bytes)
        case .handshaking, .passing:
            context.fireChannelRead(data)
            worker.loop.receiveBuffers.giveBack(bytes)
        case .closed:
            break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if case .waiting = state { context.read() } else { context.fireChannelReadComplete() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .waiting = state, case ChannelEvent.inputClosed = event { return context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .waiting = state { context.close(promise: nil) } else { context.fireErrorCaught(error) }
    }

    func deadlinePassed() {
        deadline = .distantFuture
        switch state {
        case .waiting:
            if received != nil { count(.timeout) }
            leave(.closed)
            context?.close(promise: nil)
        case .handshaking:
            failed(.timeout)
        case .passing, .closed:
            break
        }
    }

    // MARK: The decision

    private func decide(_ context: ChannelHandlerContext, _ bytes: ByteBuffer) {
        let all = joined(bytes)
        guard all.readableBytes >= needed else { return hold(all, until: needed) }
        switch FirstBytes(all.readableBytesView) {
        case .unknown: hold(all, until: all.readableBytes + 1)
        case .plain: becomePlain(context, all)
        case .sslv2: refuse(context, .sslv2, alert: .protocolVersion)
        case .tls:
            switch ClientHello.read(all.readableBytesView) {
            case .incomplete(let needed): hold(all, until: needed)
            case .malformed: refuse(context, .malformed, alert: .decodeError)
            case .complete(let serverName): becomeTLS(context, all, serverName)
            }
        }
    }

    private func joined(_ bytes: ByteBuffer) -> ByteBuffer {
        guard var all = received.take() else { return bytes }
        all.writeImmutableBuffer(bytes)
        return all
    }

    private func hold(_ bytes: ByteBuffer, until needed: Int) {
        self.needed = needed
        // The receive buffer belongs to the loop; bytes that stay here are copied out of it.
        received = worker.loop.copy(bytes)
    }

    private func becomePlain(_ context: ChannelHandlerContext, _ bytes: ByteBuffer) {
        guard hand(over: nil, after: self, context) else { return context.close(promise: nil) }
        context.fireChannelRead(wrapInboundOut(bytes))
        self.context = nil
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    private func becomeTLS(_ context: ChannelHandlerContext, _ bytes: ByteBuffer, _ serverName: String?) {
        guard begin(context) else { return refuse(context, .limit, alert: nil) }
        let seconds = Int64(WallClock.seconds())
        let selection = worker.table.snapshot.tls?.select(
            serverName, entryPoint: entryPoint.index, offersHTTP2: entryPoint.servesHTTP2, now: seconds)
        switch selection {
        case .unrecognizedName?, nil: refuse(context, .unrecognizedName, alert: .unrecognizedName)
        case .unusable?: refuse(context, .other, alert: .internalError)
        case .context(let server)?:
            let handshake = TLSHandshake(opening: self, options: server.options, serverName: serverName)
            do {
                try context.pipeline.syncOperations.addHandlers(
                    [server.makeHandler(), handshake], position: .after(self))
            } catch {
                return refuse(context, .other, alert: .internalError)
            }
            state = .handshaking
            context.fireChannelRead(wrapInboundOut(bytes))
            context.fireChannelReadComplete()
        }
    }

    /// Trusted proxies pass on the connections of many clients.
    private func begin(_ context: ChannelHandlerContext) -> Bool {
        guard let bits = context.channel.remoteAddress.flatMap(ClientConnectionInfo.bits) else { return true }
        guard !entryPoint.trustedPeers.contains(where: { $0.contains(bits) }) else { return true }
        let source = bits.handshakeSource
        guard handshakes.begin(source, limit: worker.loop.limits.handshakesPerSource) else { return false }
        self.source = source
        return true
    }

    // MARK: Called by the handshake

    /// The handshake is complete: what the client sends from now on is HTTP.
    ///
    /// - Parameter handler: the handler after which that of HTTP is added.
    func completed(_ info: TLSConnectionInfo, after handler: some ChannelHandler) {
        guard case .handshaking = state, let context else { return }
        worker.loop.counters.handshakes.completed(info)
        if !hand(over: info, after: handler, context) { context.close(promise: nil) }
    }

    /// The handshake has failed: closes the connection.
    func failed(_ reason: HandshakeFailure) {
        guard case .handshaking = state else { return }
        count(reason)
        leave(.closed)
        context?.close(promise: nil)
    }

    // MARK: Ends

    /// Adds the handler of HTTP. Returns false if that fails.
    private func hand(
        over info: TLSConnectionInfo?, after handler: some ChannelHandler, _ context: ChannelHandlerContext
    )
        -> Bool
    {
        leave(.passing)
        let connection: any ChannelHandler =
            info?.isHTTP2 == true
            ? HTTP2ClientConnection(worker: worker, entryPoint: entryPoint, tls: info)
            : HTTP1ClientConnection(worker: worker, entryPoint: entryPoint, tls: info)
        do {
            try context.pipeline.syncOperations.addHandler(connection, position: .after(handler))
            return true
        } catch {
            return false
        }
    }

    private func refuse(_ context: ChannelHandlerContext, _ reason: HandshakeFailure, alert: TLSAlert?) {
        count(reason)
        leave(.closed)
        if let alert { context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: alert.record)), promise: nil) }
        context.close(promise: nil)
    }

    private func count(_ reason: HandshakeFailure) { worker.loop.counters.handshakes.failed(reason) }

    private func leave(_ next: State) {
        state = next
        deadline = .distantFuture
        if let source { handshakes.end(source) }
        source = nil
        worker.clientClosed(self, at: entryPoint)
    }

    /// Closes a connection without a word of TLS.
    static func closeBelowTLS(_ context: ChannelHandlerContext) {
        let own = try? context.pipeline.syncOperations.context(handlerType: ConnectionOpening.self)
        (own ?? context).close(promise: nil)
    }

    // MARK: Called by the worker

    func stop(by last: NIODeadline) { deadline = min(deadline, last) }

    func goAway(by last: NIODeadline) {}

    func cut() { context?.close(promise: nil) }
}

@available(*, unavailable)
extension ConnectionOpening: Sendable {}
