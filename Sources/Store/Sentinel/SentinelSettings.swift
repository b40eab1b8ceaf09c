/// The Sentinels that name the store's primary.
package struct SentinelSettings: Sendable {
    /// Where they listen, with the credentials for them. Never empty.
    package var endpoints: [RedisEndpoint]
    /// The name by which they know the primary.
    package var primaryName: String
    /// For those that use TLS.
    package var tls: RedisTLS?

    package init(endpoints: [RedisEndpoint], primaryName: String, tls: RedisTLS? = nil) {
        self.endpoints = endpoints
        self.primaryName = primaryName
        self.tls = tls
    }
}
