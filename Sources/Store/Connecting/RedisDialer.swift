import Affinity
import NIOCore
import NIOPosix
import Networking

/// Connects to Redis servers from one event loop.
struct RedisDialer {
    let eventLoop: any EventLoop
    let settings: StoreSettings
    var resolver = NameResolver.shared

    /// Makes one attempt, including the name lookup, within the timeout. The channel does not read until its handler is
    /// set.
    func open(_ endpoint: RedisEndpoint) -> EventLoopFuture<any Channel> {
        let timeout = TimeAmount.nanoseconds(max(1, settings.connectTimeout.wholeNanoseconds))
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(timeout)
            // Nothing is read before there is a handler for it.
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 4096, maximum: 1 << 16))
        switch endpoint.address {
        case .host(let host, let port):
            return bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connect(host: host, port: port, on: eventLoop, by: resolver)
        case .unixSocket(let path): return bootstrap.connect(unixDomainSocketPath: path)
        }
    }
}
