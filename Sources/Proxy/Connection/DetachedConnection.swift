import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A connection that its handler has released because another protocol continues on it (RFC 9110, section 7.8). It does
/// not read until its new handler asks for a read.
struct DetachedConnection {
    let channel: any Channel
    /// Bytes that were received but not processed: the first bytes of the other protocol.
    let unread: ByteBuffer
    /// Knows of the writes that the channel has not finished.
    let writer: SocketWriter
    /// The peer sends nothing more.
    let inputIsClosed: Bool

    /// How long a connection is silent before the kernel asks whether the peer still exists, and how long it waits for
    /// an answer. After nine questions without one the connection fails.
    private static let keepAliveSeconds = 15

    /// Gives the connection to its new handler.
    ///
    /// The kernel finds out whether a silent peer still exists, because the other protocol may be silent for as long as
    /// it wants to.
    func become(_ handler: some ChannelHandler) throws {
        if let options = channel.syncOptions {
            try options.setOption(.allowRemoteHalfClosure, value: true)
            keepAlive(options)
        }
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    /// Only TCP connections have these options, and no tunnel fails for the lack of them.
    private func keepAlive(_ options: any NIOSynchronousChannelOptions) {
        #if canImport(Darwin)
        let idle = NIOBSDSocket.Option(rawValue: TCP_KEEPALIVE)
        #else
        let idle = NIOBSDSocket.Option(rawValue: TCP_KEEPIDLE)
        #endif
        try? options.setOption(.socketOption(.so_keepalive), value: 1)
        try? options.setOption(.tcpOption(idle), value: Self.keepAliveSeconds)
        try? options.setOption(
            .tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPINTVL)), value: Self.keepAliveSeconds)
        try? options.setOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPCNT)), value: 9)
    }
}
