package import Configuration
import NIOCore
import NIOHTTP1
import NIOPosix
import Proxy

/// An HTTP/1.1 server outside the data path, on NIOHTTP1: for operators, probes and demonstrations.
package struct AuxiliaryListener: Sendable {
    /// Further connections wait until there is room.
    package static let connectionsMax = 1000
    /// A connection that is idle for this long is closed.
    static let idleMax = TimeAmount.seconds(120)

    private let channel: any Channel

    /// The address in use; if any port was requested, with the actual one.
    package let address: ListenAddress

    /// Starts to listen, and gives each connection a handler of its own. The handler receives one request at a time.
    ///
    /// - Parameter tls: nil: the listener speaks plain HTTP.
    /// - Throws: `ListenError`.
    static func start<Handler: ChannelInboundHandler & SendableMetatype>(
        on address: ListenAddress, group: any EventLoopGroup, tls: AdminTLS? = nil,
        handler: @escaping @Sendable () -> Handler
    ) async throws(ListenError) -> AuxiliaryListener where Handler.InboundIn == HTTPServerRequestPart {
        let gate = ConnectionLimit(limit: connectionsMax)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Listener.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptHandler(gate: gate))
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let tls else { return try serve(channel, by: handler()) }
                    let opening = AdminTLSOpening(tls) { channel in try serve(channel, by: handler()) }
                    try channel.pipeline.syncOperations.addHandler(opening)
                }
            }
        let channel = try await bootstrap.bind(to: address)
        let port = channel.localAddress?.port ?? address.port
        return AuxiliaryListener(channel: channel, address: ListenAddress(host: address.host, port: port))
    }

    private static func serve(_ channel: any Channel, by handler: some ChannelHandler) throws {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(IdleStateHandler(allTimeout: idleMax))
        try pipeline.addHandler(IdleCloser())
        try pipeline.configureHTTPServerPipeline(withErrorHandling: true)
        try pipeline.addHandler(handler)
    }

    /// Accepts no more connections. Open ones end with their event loop.
    package func stop() async {
        try? await channel.close()
    }
}

/// Closes a connection that has been idle for too long.
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
