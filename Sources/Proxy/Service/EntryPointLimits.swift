package import NIOCore

/// How long a client may take at one entry point, and how long its connection may be used. Nil means unlimited. A
/// deadline passes up to ``DeadlineScan/interval`` late. Each has a test.
package struct EntryPointLimits: Equatable, Sendable {
    /// From the first byte of a head (or the opening of the connection) to its last.
    package var headTimeout = TimeAmount.seconds(10)
    /// From the first byte of a request (or the opening of the connection) to the last of its body.
    package var readTimeout: TimeAmount?
    /// Between two pieces of a request's body, while the backend takes them.
    package var bodyGapTimeout: TimeAmount? = .seconds(60)
    /// From the end of a request's head to the end of its response.
    package var writeTimeout: TimeAmount?
    /// For a connection without a request.
    package var idleTimeout: TimeAmount? = .seconds(180)
    /// How many requests one connection carries: the response to the last one says that the connection closes.
    package var keepAliveMaxRequests: Int?
    /// A response that begins later than this after the opening of its connection says that the connection closes.
    package var keepAliveMaxTime: TimeAmount?

    /// How many requests an HTTP/2 connection carries at once.
    package var concurrentStreams = 100

    package init() {}
}
