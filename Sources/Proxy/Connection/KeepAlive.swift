import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// TCP keep-alive (RFC 9293, section 3.8.4): the kernel finds out within two minutes that a silent peer's machine or
/// network is gone, so that a silence without a time-out does not hold a connection for ever.
enum KeepAlive {
    private static let idleSeconds: ChannelOptions.Types.SocketOption.Value = 60
    private static let probeSeconds: ChannelOptions.Types.SocketOption.Value = 15
    private static let probes: ChannelOptions.Types.SocketOption.Value = 4

    #if canImport(Darwin)
    private static let idleOption = TCP_KEEPALIVE
    #else
    private static let idleOption = TCP_KEEPIDLE
    #endif

    private static let options:
        [(option: ChannelOptions.Types.SocketOption, value: ChannelOptions.Types.SocketOption.Value)] = [
            (.socketOption(.so_keepalive), 1),
            (.tcpOption(NIOBSDSocket.Option(rawValue: idleOption)), idleSeconds),
            (.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPINTVL)), probeSeconds),
            (.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPCNT)), probes),
        ]

    /// The connections of a listener inherit its options.
    static func set(on bootstrap: ServerBootstrap) -> ServerBootstrap {
        options.reduce(bootstrap) { $0.serverChannelOption($1.option, value: $1.value) }
    }

    static func set(on bootstrap: ClientBootstrap) -> ClientBootstrap {
        options.reduce(bootstrap) { $0.channelOption($1.option, value: $1.value) }
    }
}
