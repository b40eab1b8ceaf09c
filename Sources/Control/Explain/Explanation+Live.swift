extension Explanation {
    /// Adds what a running replica knows of the servers. Adds its view of the sessions too if its fingerprints are the
    /// ones used here.
    ///
    /// - Throws: if the replica does not answer, or has another configuration.
    package mutating func query(_ replica: AdminClient) async throws(AdminClientError) {
        for index in levels.indices {
            let service = levels[index].service
            let servers = try await replica.servers(of: service)
            let down = levels[index].order.filter { servers[$0.url ?? ""] == false }.map(\.name)
            var session: SessionView?
            if hasSecret, let fingerprint = levels[index].fingerprint {
                session = try await replica.session(fingerprint, of: service)
            }
            levels[index].live = Live(session: session, down: down)
        }
        weighLevels()
    }
}

extension Explanation.Level {
    /// Whether a replica sends the session to another target than a new session would get.
    var leadsElsewhere: Bool {
        guard let session = live?.session, let target = session.wouldGo else { return false }
        return target != choice && (session.source != nil || hint == nil && proposal == nil)
    }
}
