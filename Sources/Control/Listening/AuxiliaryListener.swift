package import Configuration
import NIOCore
import NIOHTTP1
import NIOPosix
import Proxy

/// An HTTP/1.1 server beside the data path, on NIOHTTP1: for operators, probes and demonstrations.
package struct AuxiliaryListener: Sendable {
    /// Further connections wait until there is room.
    package static let connectionsMax = 1000
    /// A connection on which nothing moves for so long is closed.
    static let idleMax = TimeAmount.seconds(120)

    private let channel: any Channel

    /// What it listens on; with the real port where any was asked for.
    package let address: ListenAddress

    /// Listens, and gives each connection a handler of its own. One request at a time reaches the handler.
    ///
    /// - Throws: `ListenError`.
    static func start<Handler: ChannelInboundHandler>(
        on address: ListenAddress, group: any EventLoopGroup, handler: @escaping @Sendable () -> Handler
    ) async throws(ListenError) -> AuxiliaryListener where Handler.InboundIn == HTTPServerRequestPart {
        let gate = ConnectionLimit(limit: connectionsMax)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptHandler(gate: gate))
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(IdleStateHandler(allTimeout: idleMax))
                    try pipeline.addHandler(IdleCloser())
                    try pipeline.configureHTTPServerPipeline(withErrorHandling: true)
                    try pipeline.addHandler(handler())
                }
            }
        let channel = try await bootstrap.bind(to: address)
        let port = channel.localAddress?.port ?? address.port
        return AuxiliaryListener(channel: channel, address: ListenAddress(host: address.host, port: port))
    }

    /// Accepts nothing more. Connections that are open end with their event loop.
    package func stop() async {
        try? await channel.close()
    }
}

/// Closes a connection on which nothing has moved for too long.
private final class IdleCloser: ChannelInboundHandler {
    typealias InboundIn = NIOAny

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}
