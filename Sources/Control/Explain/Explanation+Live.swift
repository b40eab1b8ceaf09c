extension Explanation {
    /// Adds what a running replica knows of the sessions and servers.
    ///
    /// - Throws: where the replica does not answer, or is configured otherwise.
    package mutating func ask(_ replica: AdminClient) async throws(AdminClientError) {
        for index in levels.indices {
            let service = levels[index].service
            let servers = try await replica.servers(of: service)
            let down = levels[index].order.filter { servers[$0.url ?? ""] == false }.map(\.name)
            var session: SessionView?
            if let fingerprint = levels[index].fingerprint {
                session = try await replica.session(fingerprint, of: service)
            }
            levels[index].live = Live(session: session, down: down)
        }
    }
}

extension AdminClient {
    /// By URL, whether each server of a service can be reached.
    fileprivate func servers(of service: String) async throws(AdminClientError) -> [String: Bool] {
        let view: ServerStatus = try await decoded("/api/http/services/\(Self.escaped(service))", what: "a service")
        return view.serverStatus.mapValues { $0 == "UP" }
    }

    fileprivate func session(_ fingerprint: String, of service: String) async throws(AdminClientError) -> SessionView {
        try await decoded("/api/sessions/\(fingerprint)?service=\(Self.escaped(service))", what: "a session")
    }

    private struct ServerStatus: Decodable {
        let serverStatus: [String: String]
    }
}
