package import Affinity

/// What one event loop has counted. Only its loop writes it; a copy goes out when metrics are asked for.
package struct WorkerCounters: Sendable {
    /// Requests by the service's name; filled in when it goes out.
    package var services: [String: ServiceCounters] = [:]
    /// Requests that were refused before a service saw them, by the label of the answer.
    package var refused: [String: UInt64] = [:]
    /// Open client connections by entry point, in the order of the configuration.
    package var clientConnections: [Int]
    /// Requests whose head has come and that have not ended: the response is not all written, the client not gone.
    package var requestsInFlight = 0
    /// Those of them that are on their way to a backend, or at it, by the service's and the backend's name; filled in
    /// when it goes out. Backends that are no longer configured are left out.
    package var backendRequestsInFlight: [String: [String: Int]] = [:]
    package var backendConnections: Int = 0
    package var backendConnectFailures: UInt64 = 0
    /// Requests sent a second time.
    package var repeated: UInt64 = 0
    /// Session keys that were too long and counted as absent.
    package var oversizedSessionKeys: UInt64 = 0
    /// Patterns of rules that went over a limit; the rule did not hold then.
    package var patternsOverLimit: UInt64 = 0
    /// Session keys that a backend issued and that were bound to another one already.
    package var keysLearntElsewhere: UInt64 = 0
    /// States that cannot be; each failed its exchange. Anything above 0 is a bug.
    package var impossible: UInt64 = 0

    init(entryPoints: Int) {
        clientConnections = Array(repeating: 0, count: entryPoints)
    }
}

/// Finished requests of one service by provenance and status.
package struct ServiceCounters: Sendable {
    private static let statuses = 100..<600

    /// By provenance, then by status; a row is empty until something is counted in it.
    private var rows: [[UInt64]]

    init() {
        rows = Array(repeating: [], count: Provenance.allCases.count + 1)
    }

    /// `provenance` is nil for a request that no backend was chosen for.
    mutating func count(_ provenance: Provenance?, status: Int) {
        guard Self.statuses.contains(status) else { return }
        let row = Self.row(provenance)
        if rows[row].isEmpty { rows[row] = Array(repeating: 0, count: Self.statuses.count) }
        rows[row][status - Self.statuses.lowerBound] &+= 1
    }

    /// Calls `body` for each pair that was counted.
    package func forEach(_ body: (Provenance?, _ status: Int, UInt64) -> Void) {
        for provenance in Provenance.allCases.map(Optional.some) + [nil] {
            for (status, count) in zip(Self.statuses, rows[Self.row(provenance)]) where count > 0 {
                body(provenance, status, count)
            }
        }
    }

    package mutating func add(_ other: ServiceCounters) {
        for (row, counts) in other.rows.enumerated() where !counts.isEmpty {
            if rows[row].isEmpty { rows[row] = Array(repeating: 0, count: Self.statuses.count) }
            for index in counts.indices { rows[row][index] &+= counts[index] }
        }
    }

    private static func row(_ provenance: Provenance?) -> Int {
        switch provenance {
        case .cached: 0
        case .stored: 1
        case .claimed: 2
        case .rebound: 3
        case .hinted: 4
        case .hashed: 5
        case .detoured: 6
        case .placed: 7
        case .balanced: 8
        case nil: 9
        }
    }
}
