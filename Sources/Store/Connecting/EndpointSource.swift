/// Where a primary of the store currently is. All event loops of a replica query it before each connection attempt.
protocol EndpointSource: Sendable {
    /// The endpoint to connect to now. Nil if none is known; the attempt is then made later.
    ///
    /// - Parameter failure: how the caller's last attempt or connection failed, if it failed since the previous call.
    func next(after failure: ConnectionFailure?) -> RedisEndpoint?
}

/// How a connection to an endpoint failed.
struct ConnectionFailure: Hashable, Sendable {
    let endpoint: RedisEndpoint
    let error: StoreError
}

/// A single endpoint, as configured.
struct FixedEndpoint: EndpointSource {
    let endpoint: RedisEndpoint

    func next(after _: ConnectionFailure?) -> RedisEndpoint? { endpoint }
}
