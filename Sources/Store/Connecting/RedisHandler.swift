import NIOCore
import TLS

/// Handles one connection to a Redis or a Sentinel: sends the first commands, then serves its owner until it ends. Over
/// TLS, it is added after the handshake. Confined to the event loop of its channel.
///
/// What all handlers do alike is implemented here: they greet once the channel is active, they end when the server ends
/// the connection or an error is caught, and they end once, with the first reason.
protocol RedisHandler: ChannelInboundHandler where InboundIn == ByteBuffer {
    associatedtype Owner

    var endpoint: RedisEndpoint { get }
    /// Nil once the connection has ended.
    var owner: Owner? { get set }
    /// Nil unless the handler is in a pipeline.
    var context: ChannelHandlerContext? { get set }
    /// Whether all of the first commands have succeeded.
    var isServing: Bool { get }

    /// Sends the first commands. Does nothing if it has: a channel may become active while the handler is added.
    func greet()
    /// Notifies the owner and everybody who waits. Called once, by `end`, before the channel is closed.
    func ended(_ error: StoreError, of owner: Owner)
}

extension RedisHandler {
    /// Ends the connection and notifies its owner. Does nothing if the connection has ended.
    // Inlined, it would grow the functions that receive every reply.
    @inline(never)
    func end(_ error: StoreError) {
        guard let owner else { return }
        self.owner = nil
        ended(error, of: owner)
        context?.close(promise: nil)
    }

    /// Over TLS, the server has spoken before; otherwise one that ends the connection at once may expect TLS.
    private func endByPeer() {
        end(isServing || endpoint.usesTLS ? .closed : .closedInHandshake)
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { greet() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        greet()
    }

    func channelInactive(context: ChannelHandlerContext) {
        endByPeer()
    }

    /// In TLS 1.3 a server may refuse our certificate after the handshake.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let refusal = ClientTLSError(afterHandshake: error) { return end(.tls(refusal)) }
        endByPeer()
    }
}
