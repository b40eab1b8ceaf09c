import NIOCore
import NIOPosix

extension ClientBootstrap {
    /// For a connection to a backend whose handler asks for each read.
    ///
    /// - Parameter timeout: for one attempt to connect, with the lookup of the name.
    static func toBackend(on loop: LoopContext, timeout: TimeAmount) -> ClientBootstrap {
        ClientBootstrap(group: loop.eventLoop)
            .connectTimeout(timeout)
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: LoopReceiveAllocator(loop.receiveBuffers))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
    }
}
