package import HTTPWire
package import NIOCore

/// The limits on the memory and the time that a client or a backend can use. Each has a test.
package struct ProxyLimits: Sendable {
    /// Sizes of heads, fields and chunk extensions.
    package var message = MessageLimits()
    /// How long a client takes none of the response that waits for it, or a backend none of the request.
    package var stallTimeout = TimeAmount.seconds(60)
    /// Client connections of the whole replica; further ones wait in the kernel's queue.
    package var clientConnections = 10_000
    /// From the opening of a connection, at an entry point that serves TLS, to the end of the handshake.
    package var handshakeTimeout = TimeAmount.seconds(10)
    /// Unfinished TLS handshakes of one source: an IPv4 address, or 64 bits of an IPv6 address. Trusted peers have no
    /// limit.
    package var handshakesPerSource = 512
    /// Interim (1xx) responses to one request.
    package var interimResponses = 8
    /// After the last response of a connection that is being closed: how long its unread input is discarded, so that
    /// the client receives the response before a reset.
    package var lingerTimeout = TimeAmount.seconds(2)

    package init() {}
}
