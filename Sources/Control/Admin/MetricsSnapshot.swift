package import Affinity

/// All that is measured, as it stands at one moment. Counts only grow while the process lives.
package struct MetricsSnapshot: Equatable, Sendable {
    package struct RequestKind: Hashable, Sendable {
        package var service: String
        /// Of the response as the client got it.
        package var status: Int
        /// Nil where no backend was chosen.
        package var provenance: Provenance?
    }

    package struct Backend: Hashable, Sendable {
        package var service: String
        package var name: String
    }

    /// Counts per bucket, with the sum of all values.
    package struct Histogram: Equatable, Sendable {
        /// In seconds, ascending.
        package var upperBounds: [Double]
        /// Of each bucket alone; one more than bounds, the last for what is above all of them.
        package var counts: [UInt64]
        /// In seconds.
        package var sum: Double
    }

    package struct Cache: Equatable, Sendable {
        package var entries: Int
        package var capacity: Int
        package var hits: UInt64
        package var misses: UInt64
    }

    /// The channel by which this replica hears of moves.
    package struct Channel: Equatable, Sendable {
        /// Whether the cache may be used without asking the store.
        package var isLive: Bool
        /// How often what was known before became suspect.
        package var generations: UInt64
        /// Bindings that were heard.
        package var messages: UInt64
    }

    package struct Fleet: Equatable, Sendable {
        /// This one included.
        package var replicas: Int
        /// Different configurations among them.
        package var configurations: Int
    }

    /// How the configuration came to be what it is.
    package struct Reloads: Equatable, Sendable {
        package var successes: UInt64
        package var failures: UInt64
        /// Whether the sources, as they were last looked at, were right.
        package var isSound: Bool
        /// When they were last found right, in seconds since 1970.
        package var lastSuccess: Double
        /// Whether each provider can be asked.
        package var providersUp: [String: Bool]
    }

    package var requests: [RequestKind: UInt64] = [:]
    /// Requests that Limpet refused itself, by reason: few fixed words.
    package var refusals: [String: UInt64] = [:]
    /// By entry point.
    package var openConnections: [String: Int] = [:]
    package var requestsInFlight = 0
    package var backendRequestsInFlight: [Backend: Int] = [:]
    package var backendsUp: [Backend: Bool] = [:]
    package var cache: Cache?
    /// Whether all event loops would ask the store now; nil without a shared store.
    package var storeIsAvailable: Bool?
    /// Event loops whose store would be asked now.
    package var storeLoops = 0
    package var storeLatency: Histogram?
    package var storeFailures: [StoreFailure: UInt64] = [:]
    /// Nil where there is none: without a shared store.
    package var channel: Channel?
    /// Nil where it is not known.
    package var fleet: Fleet?
    /// Nil where it is not known.
    package var reloads: Reloads?
    /// Session keys that were longer than a key may be.
    package var oversizedSessionKeys: UInt64 = 0
    package var keysLearntElsewhere: UInt64 = 0
    /// Patterns of rules that went over a limit.
    package var patternsOverLimit: UInt64 = 0
    package var droppedAccessLogLines: UInt64 = 0
}

/// Who knows the numbers.
package protocol MetricsSource: Sendable {
    /// Gathers them from wherever they are counted.
    func snapshot() async -> MetricsSnapshot
}
