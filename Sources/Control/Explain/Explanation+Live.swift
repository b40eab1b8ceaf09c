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
        for index in levels.indices.dropLast() where levels[index].isFailover && levels[index + 1].hasNoneUp {
            let main = levels[index].choice
            levels[index].live?.down = [main].compactMap(\.self)
        }
        weighLevels()
    }
}

extension Explanation.Level {
    /// Whether a replica sends the session to another target than a new session would get.
    var leadsElsewhere: Bool {
        if isFailover { return choice.map { live?.down.contains($0) == true } ?? false }
        guard let session = live?.session, let target = session.wouldGo else { return false }
        return target != choice && (session.source != nil || hint == nil && proposal == nil)
    }

    /// Whether a replica reaches none of the servers.
    fileprivate var hasNoneUp: Bool {
        guard let live, order.contains(where: { $0.url != nil }) else { return false }
        return order.allSatisfy { live.down.contains($0.name) }
    }
}
