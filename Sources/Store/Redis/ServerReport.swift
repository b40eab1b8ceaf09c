package import Affinity

/// A Redis server's report about itself when a connection is made.
package struct ServerReport: Hashable, Sendable {
    package let identity: ServerIdentity
    /// Whether the server refuses writes while it has fewer replicas than configured (`min-replicas-to-write`).
    package let demandsReplicas: Bool
    /// How many it needs. Nil if the user may not read that.
    package let demandedReplicas: Int?
    /// How many it has.
    package let connectedReplicas: Int

    package init(
        identity: ServerIdentity, demandsReplicas: Bool, demandedReplicas: Int? = nil, connectedReplicas: Int
    ) {
        self.identity = identity
        self.demandsReplicas = demandsReplicas
        self.demandedReplicas = demandedReplicas
        self.connectedReplicas = connectedReplicas
    }

    package var failoverGuard: FailoverGuard {
        guard demandsReplicas, demandedReplicas != 0 else { return .off }
        // It needs one at least.
        guard connectedReplicas > 1 else { return .complete }
        guard let demandedReplicas else { return .unknown }
        return demandedReplicas >= connectedReplicas ? .complete : .tooSmall(demanded: demandedReplicas)
    }

    /// Why the server answers writes with `NOREPLICAS`, in numbers of the time when the connection was made.
    var lackOfReplicas: String {
        guard let demandedReplicas else { return Self.lackOfReplicas }
        let demand = "\(Self.lackOfReplicas): demanded=\(demandedReplicas)"
        // Otherwise a replica was lost since, or lags.
        return connectedReplicas < demandedReplicas ? "\(demand), connected=\(connectedReplicas)" : demand
    }

    static let lackOfReplicas = "the primary has fewer replicas than min-replicas-to-write demands"

    /// The same report with this many replicas, if it has fewer.
    func having(atLeast replicas: Int) -> ServerReport {
        ServerReport(
            identity: identity, demandsReplicas: demandsReplicas, demandedReplicas: demandedReplicas,
            connectedReplicas: max(connectedReplicas, replicas))
    }

    /// The same report with the number of replicas that the server needs.
    func demanding(_ replicas: Int?) -> ServerReport {
        ServerReport(
            identity: identity, demandsReplicas: demandsReplicas, demandedReplicas: replicas,
            connectedReplicas: connectedReplicas)
    }
}
