import Foundation

/// The fleet as one replica sees it: what `/api/fleet` says.
package struct FleetView: Equatable, Sendable {
    /// How far a replica may trust its cache without asking the store.
    package enum Lease: String, Codable, Sendable {
        /// It would hear of every move within the lease.
        case live
        /// The lease has run out and no loss is known: known sessions are asked for again.
        case doubt
        /// Connected, and waiting to hear itself.
        case proving
        /// It hears nothing from the store.
        case down
        /// There is no lease: nothing is shared.
        case none
    }

    package struct Replica: Equatable, Sendable {
        package var name: String
        /// A random number of the process, as text: two with the same name are told apart by it.
        package var instance: String
        package var version: String
        /// Its `ConfigurationFingerprint`, as text.
        package var configuration: String
        package var lease: Lease
        /// Whether it is the one that was asked.
        package var isSelf: Bool
        /// How many seconds ago it was last heard; 0 of the one that was asked.
        package var heard: Double
        /// Backends that it takes to be down, as `service/backend`.
        package var down: [String]

        package init(
            name: String, instance: String, version: String, configuration: String, lease: Lease, isSelf: Bool,
            heard: Double, down: [String]
        ) {
            self.name = name
            self.instance = instance
            self.version = version
            self.configuration = configuration
            self.lease = lease
            self.isSelf = isSelf
            self.heard = heard
            self.down = down
        }
    }

    /// The shared store as the replica that was asked sees it.
    package struct Store: Equatable, Sendable {
        /// Whether it would be asked now.
        package var isAvailable: Bool
        /// Whether a Redis that was replaced stops taking writes before its successor starts, so that the bound on
        /// staleness holds across a fail-over. Nil: not known.
        package var isFailoverGuarded: Bool?

        package init(isAvailable: Bool, isFailoverGuarded: Bool?) {
            self.isAvailable = isAvailable
            self.isFailoverGuarded = isFailoverGuarded
        }
    }

    /// The one that was asked, and those that it has heard lately.
    package var replicas: [Replica]
    /// Nil: there is none, bindings are in the memory of this replica.
    package var store: Store?

    package init(replicas: [Replica], store: Store?) {
        self.replicas = replicas
        self.store = store
    }

    /// Different configurations among the replicas; 1 where all agree.
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

    /// - Throws: where the bytes are no such object.
    package init(json: [UInt8]) throws {
        self = try JSONDecoder().decode(FleetView.self, from: Data(json))
    }
}

/// Who knows the fleet.
package protocol FleetSource: Sendable {
    /// As it is seen at this moment.
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
        case name, instance, version, configuration, lease, heard, down
        case isSelf = "self"
    }
}

extension FleetView.Store: Codable {
    private enum CodingKeys: String, CodingKey {
        case isAvailable = "available"
        case isFailoverGuarded = "failoverGuarded"
    }

    /// What is not known is written as null: the key is always there.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(isAvailable, forKey: .isAvailable)
        try container.encode(isFailoverGuarded, forKey: .isFailoverGuarded)
    }
}
