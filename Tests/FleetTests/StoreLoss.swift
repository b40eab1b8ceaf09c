import LimpetTestKit
import Testing

/// How a fleet loses its store, for all replicas at once. Each needs a fault proxy.
enum StoreLoss: String, Sendable, CaseIterable, CustomTestStringConvertible {
    case killed, frozen
    /// Nothing of the store arrives any more, and no connection to it ends or is made.
    case blackholed

    var testDescription: String { rawValue }

    func begin(_ fleet: Fleet) throws {
        switch self {
        case .killed: try fleet.redis.kill()
        case .frozen: try fleet.freeze()
        case .blackholed:
            for proxy in fleet.faults {
                try proxy.receive(.blackholed)
                try proxy.set(.halfOpen)
            }
        }
    }

    /// So that replicas can stop; a store that was killed stays away.
    func end(_ fleet: Fleet) throws {
        try fleet.redis.thaw()
        for proxy in fleet.faults { try proxy.heal() }
    }
}
