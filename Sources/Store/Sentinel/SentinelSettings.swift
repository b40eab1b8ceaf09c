/// The Sentinels that name the store's primary.
package struct SentinelSettings: Hashable, Sendable {
    /// Where they listen, with the credentials for them. Never empty.
    package var endpoints: [RedisEndpoint]
    /// The name by which they know the primary.
    package var primaryName: String

    package init(endpoints: [RedisEndpoint], primaryName: String) {
        self.endpoints = endpoints
        self.primaryName = primaryName
    }
}
