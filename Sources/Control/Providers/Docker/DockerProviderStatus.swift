/// The state of the Docker provider, for people.
package struct DockerProviderStatus: Equatable, Sendable {
    package var endpoint: String
    /// Whether the connection to the Engine is up (without watching: whether the last one succeeded). While it is down,
    /// the last known state still counts.
    package var isConnected = false
    /// The Engine's version; nil before the first connection.
    package var engineVersion: String?
    package var apiVersion: String?
    /// Why the Engine is not connected, or why the last attempt before this one failed, in one sentence. Nil: no error
    /// occurred.
    package var lastError: String?
    /// How many connections were lost after they had listed the containers.
    package var lossCount = 0
    /// The number of containers.
    package var containerCount = 0
    /// How many of them contribute; nil before the first complete listing.
    package var contributionCount: Int?
    /// Warnings about labels and containers, each one sentence.
    package var warnings: [String] = []
}
