package import Affinity

/// A Redis server's report about itself when a connection is made.
package struct ServerReport: Hashable, Sendable {
    package let identity: ServerIdentity
    /// Whether the server refuses writes while it has fewer replicas than configured (`min-replicas-to-write`).
    package let demandsReplicas: Bool
    package let connectedReplicas: Int

    package init(identity: ServerIdentity, demandsReplicas: Bool, connectedReplicas: Int) {
        self.identity = identity
        self.demandsReplicas = demandsReplicas
        self.connectedReplicas = connectedReplicas
    }
}
