import Proxy
package import Routing
package import Store

/// All that a configuration file says, checked. Nothing in it can be wrong any more, except towards the outside
/// world: a port may be taken, a store away.
package struct Configuration: Equatable, Sendable {
    /// Those that serve clients, in the order of their names; at least one. Routers name them by index.
    package var entryPoints: [EntryPointSettings]
    /// Where `/ping`, `/ready`, `/metrics` and `/api/` are served. No router leads there.
    package var admin: ListenAddress
    package var fleet: FleetSettings
    package var replica: ReplicaSettings
    package var store: StoreOptions
    package var log: LogSettings
    /// Nil: none is written.
    package var accessLog: AccessLogSettings?
    /// Where the dynamic part comes from, beside this file.
    package var providers: ProviderSettings
    /// The dynamic part.
    package var http: HTTPConfiguration
}

/// A listener for clients: `entryPoints.<name>`.
package struct EntryPointSettings: Equatable, Sendable {
    package var name: String
    package var address: ListenAddress
    /// Peers whose forwarding fields are believed (`forwardedHeaders.trustedIPs`). Of all others they are replaced.
    package var trustedPeers: [AddressRange]
}

/// What must be equal in all replicas that share a store: `fleet`.
package struct FleetSettings: Equatable, Sendable {
    /// From which fingerprints, hash order and, unless `cookieKeys` are given, the sealing key derive. Nil only
    /// without a shared store: then the replica makes one up for its lifetime.
    package var secret: Secret?
    /// Sealing keys: the first seals, all open. Empty: derived from the secret.
    package var cookieKeys: [Secret]
    /// The prefix of keys and channels in the store.
    package var namespace: StoreNamespace
}

/// What may differ between replicas: `replica`.
package struct ReplicaSettings: Equatable, Sendable {
    /// Host name and process id unless set.
    package var name: String
    /// Event loops; as many as there are cores unless set.
    package var threads: Int
}

/// The memory that replicas share, and the cache before it: `store`.
package struct StoreOptions: Equatable, Sendable {
    /// Nil: the memory of this process, for a single replica.
    package var redis: RedisOptions?
    /// How many bindings the cache can hold.
    package var cacheEntries: Int
    /// The bound on how long a replica may act on a binding that has moved.
    package var lease: Duration
}

/// The Redis that is asked: `store.redis`.
package struct RedisOptions: Equatable, Sendable {
    /// With the credentials to use there.
    package var endpoint: RedisEndpoint
    package var connectTimeout: Duration
    /// How long a request waits for the store.
    package var commandTimeout: Duration
}

/// What this process says about itself, on standard error: `log`.
package struct LogSettings: Equatable, Sendable {
    package enum Level: String, CaseIterable, Sendable {
        case trace, debug, info, notice, warning, error, critical
    }

    package enum Format: String, CaseIterable, Sendable {
        /// One JSON object a line, for programs.
        case json
        /// For people.
        case common
    }

    package var level: Level
    package var format: Format
}

/// A line of JSON for each exchange: `accessLog`.
package struct AccessLogSettings: Equatable, Sendable {
    /// Nil: standard output.
    package var filePath: String?
}
