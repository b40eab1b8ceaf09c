import Affinity
import NIOCore
import NIOPosix
import Networking

/// Makes connections to Redis servers from one event loop.
struct RedisDialer {
    let eventLoop: any EventLoop
    let settings: StoreSettings
    var resolver = NameResolver.shared

    /// One attempt, looking up a name included, within the time-out. The channel reads nothing before it is told to.
    func open(_ endpoint: RedisEndpoint) -> EventLoopFuture<any Channel> {
        let timeout = TimeAmount.nanoseconds(max(1, settings.connectTimeout.wholeNanoseconds))
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(timeout)
            // Nothing is read before there is somebody to read it.
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
