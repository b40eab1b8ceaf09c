import Proxy
package import Routing
package import Store

/// A complete, checked configuration. What can still fail depends on the outside world: a port may be in use, a store
/// unreachable.
package struct Configuration: Equatable, Sendable {
    /// The listeners for clients, sorted by name; at least one. Routers refer to them by index.
    package var entryPoints: [EntryPointSettings]
    /// Where `/ping`, `/ready`, `/metrics` and `/api/` are served. Routers never serve this address.
    package var admin: ListenAddress
    /// Nil: the admin listener has no TLS, and its address is one of loopback.
    package var adminTLS: EntryPointTLSSettings?
    package var fleet: FleetSettings
    package var replica: ReplicaSettings
    package var store: StoreOptions
    package var log: LogSettings
    /// Nil: no access log is written.
    package var accessLog: AccessLogSettings?
    /// Where the dynamic part comes from, in addition to this file.
    package var providers: ProviderSettings
    /// Of services that name no servers transport, and of those that name `default@internal`.
    package var serversTransport: ServersTransportSettings
    /// The dynamic part.
    package var http: HTTPConfiguration
}

/// A listener for clients: `entryPoints.<name>`.
package struct EntryPointSettings: Equatable, Sendable {
    package var name: String
    package var address: ListenAddress
    /// Peers whose forwarding headers are trusted (`forwardedHeaders.trustedIPs`). The headers of all other peers are
    /// replaced.
    package var trustedPeers: [AddressRange]
    package var transport: TransportSettings
    package var http: EntryPointHTTPSettings
    package var http2 = EntryPointHTTP2Settings()

    package init(
        name: String, address: ListenAddress, trustedPeers: [AddressRange],
        transport: TransportSettings = TransportSettings(), http: EntryPointHTTPSettings = EntryPointHTTPSettings()
    ) {
        self.name = name
        self.address = address
        self.trustedPeers = trustedPeers
        self.transport = transport
        self.http = http
    }
}

/// The settings that must be equal on all replicas that share a store: `fleet`.
package struct FleetSettings: Equatable, Sendable {
    /// The source of the keys for fingerprints and hash order and, unless `cookieKeys` are given, of the sealing key.
    /// Nil only without a shared store: the replica then generates a secret for its lifetime.
    package var secret: Secret?
    /// Sealing keys: the first seals, all open. Empty: the sealing key is derived from the secret.
    package var cookieKeys: [Secret]
    /// The prefix of keys and channels in the store.
    package var namespace: StoreNamespace
}

/// The settings that may differ between replicas: `replica`.
package struct ReplicaSettings: Equatable, Sendable {
    /// Default: host name and process id.
    package var name: String
    /// Number of event loops. Default: the number of cores.
    package var threads: Int
    /// Plain TCP connections write to their sockets themselves, as far as these take it at once.
    package var directSend: Bool
}

/// The store that replicas share, and the cache in front of it: `store`.
package struct StoreOptions: Equatable, Sendable {
    /// Nil: bindings are kept in the memory of this process, for a single replica.
    package var redis: RedisOptions?
    /// How many bindings the cache can hold.
    package var cacheEntries: Int
    /// The longest time that a replica may act on a binding that has moved.
    package var lease: Duration
}

/// The Redis server to connect to: `store.redis`.
package struct RedisOptions: Equatable, Sendable {
    /// Includes the credentials. Where Sentinels name the primary, its address counts for nothing.
    package var endpoint: RedisEndpoint
    /// Nil if the primary's endpoint is configured.
    package var sentinel: SentinelOptions?
    /// Nil unless the primary is reached over TLS.
    package var tls: ClientTLSOptions?
    /// How many event loops have a connection to the primary. The others share these.
    package var connections: Int
    package var connectTimeout: Duration
    /// How long a request waits for the store.
    package var commandTimeout: Duration

    /// Where the store is, for people: without credentials.
    package var place: String {
        guard let sentinel else { return "\(endpoint)" }
        let endpoints = sentinel.endpoints.map { "\($0)" }.joined(separator: ", ")
        return "\(sentinel.primaryName), by the Sentinels \(endpoints)"
    }
}

/// The log of this process, on standard error: `log`.
package struct LogSettings: Equatable, Sendable {
    package enum Level: String, CaseIterable, Sendable {
        case trace, debug, info, notice, warning, error, critical
    }

    package enum Format: String, CaseIterable, Sendable {
        /// One JSON object per line, for programs.
        case json
        /// Plain text, for people.
        case common
    }

    package var level: Level
    package var format: Format
}

/// One line of JSON per exchange: `accessLog`.
package struct AccessLogSettings: Equatable, Sendable {
    /// Nil: standard output.
    package var filePath: String?
}
