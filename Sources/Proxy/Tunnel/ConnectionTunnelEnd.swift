import NIOCore

/// The end of a tunnel that is a connection of its own.
final class ConnectionTunnelEnd: ChannelInboundHandler, TunnelEnd {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let side: Tunnel.Side
    /// Nil once the connection has closed.
    private(set) var context: ChannelHandlerContext?
    private(set) var isWritable = true
    private let loop: LoopContext
    private let writer: SocketWriter
    private var input = ConnectionInput()
    private var tunnel: Tunnel?
    private var outputIsClosed = false

    /// - Parameter tunnel: kept until the connection has closed.
    init(_ side: Tunnel.Side, of connection: DetachedConnection, tunnel: Tunnel, loop: LoopContext) {
        self.side = side
        self.tunnel = tunnel
        self.loop = loop
        writer = connection.writer
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        isWritable = context.channel.isWritable
    }

    func channelInactive(context: ChannelHandlerContext) {
        writer.forget()
        self.context = nil
        let tunnel = tunnel.take()
        tunnel?.closed(side)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        tunnel?.received(bytes, from: side)
        loop.receiveBuffers.giveBack(bytes)
    }

    /// No later handler needs this event.
    func channelReadComplete(context: ChannelHandlerContext) {
        input.read(context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return context.fireUserInboundEventTriggered(event) }
        tunnel?.inputClosed(side)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        tunnel?.writabilityChanged(side)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        writer.forget()
        tunnel?.failed(side)
        writer.close(context)
    }

    // MARK: Called by the tunnel

    func read() {
        if let context { input.read(context) }
    }

    func pauseReading() { input.pause() }

    func resumeReading() {
        if let context { input.resume(context) }
    }

    /// A small piece that has to wait is copied: it would keep a whole receive buffer alive.
    func send(_ bytes: ByteBuffer) {
        guard let context, !outputIsClosed else { return }
        let isCopied = !writer.sendsToSocket && bytes.readableBytes <= ConnectionOutput.gatheredMax
        writer.send(isCopied ? loop.copy(bytes) : bytes, context)
    }

    /// Closes the output after everything that was sent. The input stays open.
    func closeOutput() {
        guard let context, !outputIsClosed else { return }
        outputIsClosed = true
        writer.afterWrites(context) { [self] in
            if let context = self.context { writer.close(context, .output) }
        }
    }

    /// Closes at once.
    func close() {
        if let context { writer.close(context) }
    }
}

@available(*, unavailable)
extension ConnectionTunnelEnd: Sendable {}
