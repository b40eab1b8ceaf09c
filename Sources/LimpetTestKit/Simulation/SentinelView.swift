import Affinity

/// How a replica finds its primaries by Sentinels, and which of their servers it trusts: the production cores. Empty in
/// scenarios without Sentinels.
struct SentinelView {
    /// One primary.
    struct Guide {
        var topology: SentinelTopology
        /// The server that is taken for the primary.
        var server: SimulatedServer?
        /// When the next tick is due.
        var dueAt: Moment = -1
    }

    /// A server as this replica knows it.
    struct Watched {
        var trust: ServerTrust
        var heardAt: Instant
        let server: SimulatedServer
    }

    struct Key: Hashable {
        let runID: ServerIdentity.RunID
        /// Nil: the server as a whole.
        let kind: SimulatedConnection.Kind?
    }

    var guides: [Guide] = []
    var watched: [Key: Watched] = [:]
    /// Whether silence is of the server, not of the connection.
    var isOfServer = true

    func key(_ connection: SimulatedConnection) -> Key? {
        connection.identity.map { Key(runID: $0.runID, kind: isOfServer ? nil : connection.kind) }
    }

    func watched(_ connection: SimulatedConnection) -> Watched? { key(connection).flatMap { watched[$0] } }

    /// Whether nothing that its server answers now can restore trust.
    func isUndecided(_ connection: SimulatedConnection, now: Instant) -> Bool {
        watched(connection)?.trust.isUndecided(now: now) ?? false
    }

    func trusts(_ connection: SimulatedConnection) -> Bool { watched(connection)?.trust.mayBeAsked ?? true }
}
