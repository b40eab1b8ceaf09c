import Affinity
import NIOCore
import NIOPosix
import Networking
import TLS

/// Connects to Redis servers from one event loop.
struct RedisDialer {
    /// How long an address may be silent if another one can be tried, in nanoseconds (RFC 8305, section 5).
    private static let patienceNanoseconds: Int64 = 250_000_000

    let eventLoop: any EventLoop
    let connectTimeout: Duration
    /// For endpoints that use TLS.
    let tls: RedisTLS?
    var resolver = NameResolver.shared

    /// The addresses of a server, in the order in which they are to be tried. Never empty.
    func addresses(of endpoint: RedisEndpoint) -> EventLoopFuture<[SocketAddress]> {
        switch endpoint.address {
        case .host(let host, let port):
            resolver.addresses(of: host, port: port, on: eventLoop, within: limit)
        case .unixSocket(let path):
            eventLoop.makeCompletedFuture { [try SocketAddress(unixDomainSocketPath: path)] }
        }
    }

    /// Makes one attempt, within the timeout, and again that for a TLS handshake. The channel does not read until its
    /// handler is set.
    ///
    /// - Parameter isLast: no other address will be tried after this one, so it may take its time.
    func open(_ address: SocketAddress, of endpoint: RedisEndpoint, isLast: Bool) -> EventLoopFuture<any Channel> {
        let patience = isLast ? limit : min(limit, .nanoseconds(Self.patienceNanoseconds))
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(patience)
            // Nothing is read before there is a handler for it.
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 4096, maximum: 1 << 16))
        switch endpoint.address {
        case .unixSocket: return bootstrap.connect(to: address)
        case .host(let host, _):
            let connected = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1).connect(to: address)
            return endpoint.usesTLS ? connected.flatMap { secure($0, host) } : connected
        }
    }

    private var limit: TimeAmount { .nanoseconds(max(1, connectTimeout.wholeNanoseconds)) }

    private func secure(_ channel: any Channel, _ host: String) -> EventLoopFuture<any Channel> {
        guard let tls else {
            channel.close(promise: nil)
            return eventLoop.makeFailedFuture(ClientTLSError.library("TLS is not set up"))
        }
        let limit = limit
        return tls.current(on: eventLoop).flatMap { client in
            client.begin(on: channel, host: host, by: .now() + limit)
        }.map { _ in channel }.flatMapErrorThrowing { error in
            channel.close(promise: nil)
            throw error
        }
    }
}
