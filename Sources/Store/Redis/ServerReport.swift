package import Affinity

/// What a Redis says of itself when a connection is made.
package struct ServerReport: Hashable, Sendable {
    package let identity: ServerIdentity
    /// Whether it takes no writes while fewer replicas than it wants are with it (`min-replicas-to-write`).
    package let demandsReplicas: Bool
    package let connectedReplicas: Int

    package init(identity: ServerIdentity, demandsReplicas: Bool, connectedReplicas: Int) {
        self.identity = identity
        self.demandsReplicas = demandsReplicas
        self.connectedReplicas = connectedReplicas
    }
}
