import LimpetTestKit

/// Something that a fleet should not have done.
struct Unexpected: Error, CustomStringConvertible {
    let description: String
}

/// A client with one kept connection to each replica, those that join later included. For one thread.
final class FleetClient {
    private let fleet: Fleet
    private let movesOn: Bool
    private var connections: [Int: HTTPConnection] = [:]

    /// - Parameter movesOn: whether it goes to the next replica, as a load balancer does, where one takes no
    ///   connection, or ends one before it has answered anything on it.
    init(_ fleet: Fleet, movesOn: Bool = false) {
        self.fleet = fleet
        self.movesOn = movesOn
    }

    /// The backend that serves a session (field `X-Session-ID`) at a replica.
    func backend(of session: String, at replica: Int, _ target: String = "/") throws -> String {
        try backend(HTTPRequest("GET", target, fields: ["X-Session-ID": session]), at: replica)
    }

    func backend(_ request: HTTPRequest, at replica: Int) throws -> String {
        try exchange(request, at: replica).servedBy()
    }

    func exchange(_ request: HTTPRequest, at replica: Int) throws -> HTTPResponse {
        guard movesOn else { return try exchangeOnce(request, at: replica) }
        let count = fleet.ports.count
        for offset in 0..<count - 1 {
            let isKept = connections[(replica + offset) % count] != nil
            do {
                return try exchangeOnce(request, at: (replica + offset) % count)
            } catch  where !isKept {
                continue
            }
        }
        return try exchangeOnce(request, at: (replica + count - 1) % count)
    }

    private func exchangeOnce(_ request: HTTPRequest, at replica: Int) throws -> HTTPResponse {
        let connection = try connections.removeValue(forKey: replica) ?? HTTPConnection(port: fleet.ports[replica])
        let response = try connection.exchange(request)
        if response["Connection"] != "close" { connections[replica] = connection }
        return response
    }

    /// The backend of each session, as all replicas say.
    ///
    /// - Throws: where two say otherwise.
    func backends(of sessions: [String]) throws -> [String: String] {
        var backends: [String: String] = [:]
        for session in sessions {
            for replica in fleet.ports.indices {
                let backend = try backend(of: session, at: replica)
                if let other = backends.updateValue(backend, forKey: session), other != backend {
                    throw Unexpected(description: "\(session): \(other), but \(backend) at replica \(replica)")
                }
            }
        }
        return backends
    }
}

extension HTTPResponse {
    /// The name of the backend that answered with 200.
    func servedBy() throws -> String {
        guard status == 200, let name = self["X-Backend"] else {
            throw Unexpected(description: "\(status) \(text)")
        }
        return name
    }

    /// The cookie that is set, as a client sends it back.
    var cookie: String? {
        self["Set-Cookie"].flatMap { $0.split(separator: ";").first }.map(String.init)
    }
}

extension Fleet {
    /// The backends of sessions at all replicas once those of a backend that is gone have all moved off it. Until the
    /// replicas agree that it is gone they are detoured, so this is asked again and again.
    ///
    /// - Parameter home: where they were; none has moved before.
    func agreement(after home: [String: String], lost backend: String) async throws -> [String: String] {
        let lost = home.values.count { $0 == backend }
        let sessions = Array(home.keys)
        return try await Threads.run {
            guard
                try Waiting.until(
                    within: 10,
                    {
                        let client = FleetClient(self)
                        for session in sessions {
                            for replica in self.ports.indices { _ = try client.backend(of: session, at: replica) }
                        }
                        return try self.records().values.count { ($0.epoch ?? 0) > 1 } >= lost
                    })
            else { throw Unexpected(description: "sessions are still bound to \(backend)") }
            return try FleetClient(self).backends(of: sessions)
        }
    }

    /// Starts a backend again and returns when every replica takes it to be up.
    func returnBackend(_ index: Int) async throws {
        let metric = "limpet_backend_up{service=\"app\",backend=\"\(backends[index].name)\"}"
        try await Threads.run {
            try self.restartBackend(index)
            guard try Waiting.until(within: 10, { try self.replicas.allSatisfy { try $0.metric(metric) == 1 } }) else {
                throw Unexpected(description: "a backend that is back is not used")
            }
        }
    }

    /// The backends of sessions as all replicas say, asked on a thread.
    func agreement(on sessions: [String]) async throws -> [String: String] {
        try await Threads.run { try FleetClient(self).backends(of: sessions) }
    }
}
