package import NIOCore

/// How long the backends of a service may take, and how many connections are kept to each. A changed limit counts for
/// requests that arrive from then on.
package struct ServiceLimits: Equatable, Sendable {
    package var exchange = ExchangeTimeouts()
    package var pool = PoolLimits()

    package init() {}
}

/// How long a backend may take for one request. Nil means unlimited, which is the default of all: a long poll or a
/// stream of events is silent by design. A deadline passes up to ``DeadlineScan/interval`` late.
package struct ExchangeTimeouts: Equatable, Sendable {
    /// From the end of the request to the response head.
    package var responseHead: TimeAmount?
    /// Between two pieces of a response's body, while the client takes them.
    package var responseGap: TimeAmount?
    /// From the end of the request's head to the end of the response.
    package var request: TimeAmount?
    /// Between two pieces of either direction, after a switch of protocols.
    package var tunnel: TimeAmount?

    package init() {}
}

/// How connections to one backend are opened and kept on an event loop, and how many requests it gets.
package struct PoolLimits: Equatable, Sendable {
    /// For one attempt to connect. Nil leaves it to the kernel.
    package var connectTimeout: TimeAmount? = .seconds(1)
    /// For a connection without a request. Nil means unlimited. The default is shorter than the keep-alive of common
    /// servers (60 s or more in nginx and Go), so that Limpet closes first.
    package var idleTimeout: TimeAmount? = .seconds(50)
    /// For HTTP/2 connections with requests. Nil: they are not asked for signs of life.
    package var pings: PingLimits?
    /// Connections without a request that are kept.
    package var idleConnections = 256
    /// Requests that the replica has under way at the backend, on all event loops. Nil means unlimited; further ones
    /// wait.
    package var maxRequests: Int?
    /// How many requests wait, on all event loops.
    package var queueSize = 1000
    /// How long a request waits.
    package var queueTimeout = TimeAmount.seconds(5)

    package init() {}
}

/// How it is found out that the peer of a silent HTTP/2 connection is gone (RFC 9113, section 6.7).
package struct PingLimits: Equatable, Sendable {
    /// The silence after which a PING is sent.
    package var silence: TimeAmount
    /// How long the silence may last after that.
    package var timeout: TimeAmount

    package init(after silence: TimeAmount, timeout: TimeAmount) {
        self.silence = silence
        self.timeout = timeout
    }
}
