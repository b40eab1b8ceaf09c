/// Where a primary of the store is, at any time: asked before each attempt to connect, by all event loops of a replica.
protocol EndpointSource: Sendable {
    /// The endpoint to connect to now; nil while none is known: the attempt is then made later.
    ///
    /// - Parameter failure: the caller's last attempt, or its connection, where that has failed since it asked last.
    func next(after failure: ConnectionFailure?) -> RedisEndpoint?
}

/// What became of a connection to an endpoint.
struct ConnectionFailure: Hashable, Sendable {
    let endpoint: RedisEndpoint
    let error: StoreError
}

/// One endpoint, as configured.
struct FixedEndpoint: EndpointSource {
    let endpoint: RedisEndpoint

    func next(after _: ConnectionFailure?) -> RedisEndpoint? { endpoint }
}
