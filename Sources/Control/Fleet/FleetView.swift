import Foundation

/// The fleet as one replica sees it: the body of `/api/fleet`.
package struct FleetView: Equatable, Sendable {
    /// Whether a replica may trust its cache without querying the store.
    package enum Lease: String, Codable, Sendable {
        /// It would receive every move within the lease.
        case live
        /// The lease has run out and no loss is known: the store is queried again for known sessions.
        case doubt
        /// Subscribed, and waiting for its own heartbeat.
        case proving
        /// It receives nothing from the store.
        case down
        /// Not applicable: replicas share no store.
        case none
    }

    package struct Replica: Equatable, Sendable {
        package var name: String
        /// A random number of the process, as text. It distinguishes replicas with the same name.
        package var instance: String
        package var version: String
        /// Its `ConfigurationFingerprint`, as text.
        package var configuration: String
        package var lease: Lease
        /// How much it knows of the sessions that it has not served.
        package var standby: StandbyView
        /// Whether it is the replica that was queried.
        package var isSelf: Bool
        /// How many seconds ago it was last heard; 0 for the replica that was queried.
        package var heard: Double
        /// Backends that it considers down, as `service/backend`.
        package var down: [String]

        package init(
            name: String, instance: String, version: String, configuration: String, lease: Lease,
            standby: StandbyView, isSelf: Bool, heard: Double, down: [String]
        ) {
            self.name = name
            self.instance = instance
            self.version = version
            self.configuration = configuration
            self.lease = lease
            self.standby = standby
            self.isSelf = isSelf
            self.heard = heard
            self.down = down
        }
    }

    /// The shared store as the queried replica sees it.
    package struct Store: Equatable, Sendable {
        /// Whether the store is available now.
        package var isAvailable: Bool
        /// Whether a Redis server that was replaced stops taking writes before its successor starts, so that the bound
        /// on staleness holds across a fail-over: it needs all of its replicas to accept a write. Nil: not known.
        package var isFailoverGuarded: Bool?
        /// Where the primary is that the queried replica connects to, as `host:port`. Nil while it is not known.
        package var primary: String?
        /// Nil if the primary's address is configured.
        package var sentinels: Sentinels?

        package init(
            isAvailable: Bool, isFailoverGuarded: Bool?, primary: String? = nil, sentinels: Sentinels? = nil
        ) {
            self.isAvailable = isAvailable
            self.isFailoverGuarded = isFailoverGuarded
            self.primary = primary
            self.sentinels = sentinels
        }
    }

    /// The Sentinels that name the store's primary, as the queried replica hears them.
    package struct Sentinels: Equatable, Codable, Sendable {
        package var configured: Int
        /// How many named a primary when they were last asked.
        package var answering: Int
        /// Whether a majority of those configured named the same one.
        package var agree: Bool

        package init(configured: Int, answering: Int, agree: Bool) {
            self.configured = configured
            self.answering = answering
            self.agree = agree
        }
    }

    /// The queried replica, and those that it has heard recently.
    package var replicas: [Replica]
    /// Nil without a shared store: bindings are in the memory of this replica.
    package var store: Store?

    package init(replicas: [Replica], store: Store?) {
        self.replicas = replicas
        self.store = store
    }

    /// The number of different configurations among the replicas; 1 if all agree.
    package var configurationCount: Int { Set(replicas.map(\.configuration)).count }

    package var configurationsAgree: Bool { configurationCount <= 1 }

    /// Whether all replicas agree, and none is cut off from the others.
    package var isSound: Bool {
        configurationsAgree && replicas.allSatisfy { $0.lease == .live || $0.lease == .none }
    }

    /// One JSON object.
    package func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    /// - Throws: if the bytes are not such an object.
    package init(json: [UInt8]) throws {
        self = try JSONDecoder().decode(FleetView.self, from: Data(json))
    }
}

/// The source of the fleet's state.
package protocol FleetSource: Sendable {
    /// The fleet as seen at this moment.
    func fleet() async -> FleetView
}

extension FleetView: Codable {
    private enum CodingKeys: String, CodingKey {
        case replicas, store, configurationsAgree
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        replicas = try container.decode([Replica].self, forKey: .replicas)
        store = try container.decodeIfPresent(Store.self, forKey: .store)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(replicas, forKey: .replicas)
        try container.encode(configurationsAgree, forKey: .configurationsAgree)
        try container.encode(store, forKey: .store)
    }
}

extension FleetView.Replica: Codable {
    private enum CodingKeys: String, CodingKey {
        case name, instance, version, configuration, lease, standby, heard, down
        case isSelf = "self"
    }

    /// A replica of an earlier release does not tell of its standby.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try container.decode(String.self, forKey: .name),
            instance: try container.decode(String.self, forKey: .instance),
            version: try container.decode(String.self, forKey: .version),
            configuration: try container.decode(String.self, forKey: .configuration),
            lease: try container.decode(FleetView.Lease.self, forKey: .lease),
            standby: try container.decodeIfPresent(StandbyView.self, forKey: .standby) ?? StandbyView(nil),
            isSelf: try container.decode(Bool.self, forKey: .isSelf),
            heard: try container.decode(Double.self, forKey: .heard),
            down: try container.decode([String].self, forKey: .down))
    }
}

extension FleetView.Store: Codable {
    private enum CodingKeys: String, CodingKey {
        case isAvailable = "available"
        case isFailoverGuarded = "failoverGuarded"
        case primary, sentinels
    }

    /// Unknown values are written as null, so every key is always present.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(isAvailable, forKey: .isAvailable)
        try container.encode(isFailoverGuarded, forKey: .isFailoverGuarded)
        try container.encode(primary, forKey: .primary)
        try container.encode(sentinels, forKey: .sentinels)
    }
}
