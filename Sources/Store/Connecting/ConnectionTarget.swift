import Networking

/// What the connections to one server have in common: where they lead, how they are made, and at which pace.
struct ConnectionTarget: Sendable {
    let settings: StoreSettings
    let endpoints: any EndpointSource
    /// When it was last tried, and which of its errors have been logged.
    let status: PrimaryStatus
    /// For endpoints that use TLS.
    let tls: RedisTLS?
    var resolver = NameResolver.shared
    /// Whether the server is watched for silence: Sentinels are not.
    var servers: WatchedServers?
}
