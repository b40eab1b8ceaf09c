package import Affinity

/// The counters of one event loop. Only its loop writes them; a copy is returned when metrics are requested.
package struct WorkerCounters: Sendable {
    /// Requests by the service's name; filled in when the copy is made.
    package var services: [String: ServiceCounters] = [:]
    /// Requests that were refused before they reached a service.
    package var refused: [Reason: UInt64] = [:]
    /// Open client connections by entry point, in the order of the configuration.
    package var clientConnections: [Int]
    package var handshakes = HandshakeCounters()
    package var http2 = HTTP2Counters()
    /// Requests whose head has arrived and that have not ended: the response is not fully written and the client has
    /// not disconnected.
    package var requestsInFlight = 0
    /// The number of these requests that are being sent to a backend or processed by it, by the names of service and
    /// backend; filled in when the copy is made. Backends that are no longer configured are left out.
    package var backendRequestsInFlight: [String: [String: Int]] = [:]
    /// Pairs of connections that carry another protocol, after an upgrade.
    package var openTunnels = 0
    /// Failed attempts and responses, by the names of service and backend; filled in like the above.
    package var backendFailures: [String: [String: [Reason: UInt64]]] = [:]
    package var backendConnections: Int = 0
    package var backendConnectFailures: UInt64 = 0
    /// Session keys that were too long and were treated as absent.
    package var oversizedSessionKeys: UInt64 = 0
    /// Rule patterns that exceeded a limit; the rule did not match then.
    package var patternsOverLimit: UInt64 = 0
    /// Session keys that a backend issued and that were already bound to another one.
    package var keysLearntElsewhere: UInt64 = 0
    /// States that cannot occur; each failed its exchange. Anything above 0 is a bug.
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
    /// Requests that Limpet answered itself, or whose response it cut, or that lost their client.
    package private(set) var failures: [Reason: UInt64] = [:]
    package private(set) var tunnels = TunnelCounters()
    package internal(set) var retries = RetryCounters()

    init() {
        rows = Array(repeating: [], count: Provenance.allCases.count + 1)
    }

    /// `provenance` is nil for a request for which no backend was chosen.
    mutating func count(_ provenance: Provenance?, status: Int) {
        guard Self.statuses.contains(status) else { return }
        let row = Self.row(provenance)
        if rows[row].isEmpty { rows[row] = Array(repeating: 0, count: Self.statuses.count) }
        rows[row][status - Self.statuses.lowerBound] &+= 1
    }

    mutating func failed(_ reason: Reason) { failures[reason, default: 0] &+= 1 }

    mutating func tunnelEnded(_ reason: Reason, bytesFromClient: UInt64, bytesFromBackend: UInt64) {
        tunnels.ended[reason, default: 0] &+= 1
        tunnels.bytesFromClient &+= bytesFromClient
        tunnels.bytesFromBackend &+= bytesFromBackend
    }

    /// Calls `body` for each counted pair.
    package func forEach(_ body: (Provenance?, _ status: Int, UInt64) -> Void) {
        for provenance in Provenance.allCases.map(Optional.some) + [nil] {
            for (status, count) in zip(Self.statuses, rows[Self.row(provenance)]) where count > 0 {
                body(provenance, status, count)
            }
        }
    }

    package mutating func add(_ other: ServiceCounters) {
        failures.merge(other.failures, uniquingKeysWith: &+)
        tunnels.add(other.tunnels)
        retries.add(other.retries)
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
