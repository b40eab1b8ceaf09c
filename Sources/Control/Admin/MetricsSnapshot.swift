package import Affinity
package import Proxy

/// All measurements at one moment. Counters only grow while the process lives.
package struct MetricsSnapshot: Equatable, Sendable {
    package struct RequestKind: Hashable, Sendable {
        package var service: String
        /// The response's status as the client received it.
        package var status: Int
        /// Nil if no backend was chosen.
        package var provenance: Provenance?
    }

    package struct Backend: Hashable, Sendable {
        package var service: String
        package var name: String
    }

    /// Counts per bucket, and the sum of all values.
    package struct Histogram: Equatable, Sendable {
        /// In seconds, ascending.
        package var upperBounds: [Double]
        /// Not cumulative. One more than the bounds: the last bucket counts what is above all of them.
        package var counts: [UInt64]
        /// In seconds.
        package var sum: Double
    }

    package struct Cache: Equatable, Sendable {
        package var entries: BindingCache.Counts
        package var capacity: Int
        package var hits: UInt64
        package var misses: UInt64
    }

    /// The coherence channel, over which this replica receives moves.
    package struct Channel: Equatable, Sendable {
        /// Whether the cache may be used without querying the store.
        package var isLive: Bool
        /// How often all earlier entries became suspect.
        package var generations: UInt64
        /// Bindings received.
        package var messages: UInt64
    }

    /// What this replica knows of sessions that others serve.
    package struct Standby: Equatable, Sendable {
        package var isSynced: Bool
        package var counters: Affinity.Standby.Counters
    }

    /// The store's primary, and who names it.
    package struct Primary: Equatable, Sendable {
        /// As `host:port`. Nil while it is not known.
        package var address: String?
        /// Nil while it is not known.
        package var isFailoverGuarded: Bool?
        /// Nil if the primary's address is configured.
        package var sentinels: FleetView.Sentinels?
        /// How often the Sentinels have named another one.
        package var changes: UInt64
    }

    package struct Fleet: Equatable, Sendable {
        /// Includes this replica.
        package var replicas: Int
        /// The number of different configurations among them.
        package var configurations: Int
    }

    /// The history of configuration reloads.
    package struct Reloads: Equatable, Sendable {
        package var successes: UInt64
        package var failures: UInt64
        /// Whether the sources were right when last checked.
        package var isSound: Bool
        /// When the sources were last found right, in seconds since 1970.
        package var lastSuccess: Double
        /// Whether each provider can be read.
        package var providersUp: [String: Bool]
    }

    package struct Certificate: Hashable, Sendable {
        package var name: String
        package var serial: String
    }

    package var requests: [RequestKind: UInt64] = [:]
    /// Requests that Limpet refused before any service saw them.
    package var refusals: [Reason: UInt64] = [:]
    /// Keyed by entry point.
    package var openConnections: [String: Int] = [:]
    /// TLS handshakes with clients.
    package var handshakes = HandshakeCounters()
    /// HTTP/2 connections of clients.
    package var http2 = HTTP2Counters()
    /// TLS handshakes with the admin listener that failed.
    package var adminHandshakeFailures: [HandshakeFailure: UInt64] = [:]
    /// When the certificates end, in seconds since 1970, by their first name and serial number.
    package var certificateEnds: [Certificate: Double] = [:]
    package var requestsInFlight = 0
    package var backendRequestsInFlight: [Backend: Int] = [:]
    /// Only of backends with a limit.
    package var backendCapacities: [Backend: BackendCapacity.Counts] = [:]
    /// Requests of each service that Limpet answered itself, or whose response it cut, or that lost their client.
    package var failures: [String: [Reason: UInt64]] = [:]
    /// Failed attempts at each backend, and responses of it that did not arrive completely.
    package var backendFailures: [Backend: [Reason: UInt64]] = [:]
    package var openTunnels = 0
    /// Tunnels of each service that have ended.
    package var tunnels: [String: TunnelCounters] = [:]
    /// Attempts of each service beyond the first.
    package var retries: [String: RetryCounters] = [:]
    package var backendsUp: [Backend: Bool] = [:]
    /// The causes against each backend that are found out: *unreachable* and *failing*.
    package var backendCauses: [Backend: HealthCauses] = [:]
    /// The checks of each backend with a health check, by their outcome.
    package var healthChecks: [Backend: [CheckCounts.Outcome: UInt64]] = [:]
    package var cache: Cache?
    /// Whether the store is available on every event loop; nil without a shared store.
    package var storeIsAvailable: Bool?
    /// The number of event loops on which the store is available.
    package var storeLoops = 0
    package var storeLatency: Histogram?
    package var storeFailures: [StoreFailure: UInt64] = [:]
    /// Nil without a shared store.
    package var primary: Primary?
    /// Nil without a shared store.
    package var channel: Channel?
    /// Nil without a shared store.
    package var standby: Standby?
    /// Nil if not known.
    package var fleet: Fleet?
    /// Nil if not known.
    package var reloads: Reloads?
    /// Session keys that exceeded the length limit.
    package var oversizedSessionKeys: UInt64 = 0
    package var keysLearntElsewhere: UInt64 = 0
    /// Rule patterns that exceeded a limit.
    package var patternsOverLimit: UInt64 = 0
    package var droppedAccessLogLines: UInt64 = 0
}

/// The source of the measurements.
package protocol MetricsSource: Sendable {
    /// Gathers the measurements from all counters.
    func snapshot() async -> MetricsSnapshot
}
