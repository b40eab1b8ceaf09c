/// How the Docker provider is doing, for people.
package struct DockerProviderStatus: Equatable, Sendable {
    package var endpoint: String
    /// Whether the Engine is heard (where it is not to be watched: whether it was). While it is not, what was known
    /// last still counts.
    package var isConnected = false
    /// Of the Engine; nil before the first connection.
    package var engineVersion: String?
    package var apiVersion: String?
    /// Why there is no connection, or was none before this one, in one sentence; nil: there was no trouble.
    package var lastError: String?
    /// How often a connection that had listed the containers was lost.
    package var lossCount = 0
    /// How many containers there are.
    package var containerCount = 0
    /// How many of them contribute; nil before the first whole listing.
    package var contributionCount: Int?
    /// What is to be said about labels and containers, each in one sentence.
    package var warnings: [String] = []
}
