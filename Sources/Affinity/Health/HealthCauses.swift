/// What stands against a backend here. Each cause comes and goes by itself; one that has none takes whatever comes.
package struct HealthCauses: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Connections to it cannot be made: found out by requests and probes, until a connection is made.
    package static let unreachable = HealthCauses(rawValue: 1)
    /// A check of its answers says that it does not work. Nothing checks answers in this version.
    package static let failing = HealthCauses(rawValue: 2)
    /// It is configured to keep its sessions and to get new ones only where there is no other backend.
    package static let draining = HealthCauses(rawValue: 4)
    /// It is not configured.
    package static let absent = HealthCauses(rawValue: 8)

    /// Whether it may be given the requests of its sessions.
    package var isUp: Bool { isDisjoint(with: [.unreachable, .failing, .absent]) }

    /// The names of the causes, in a fixed order.
    package var names: [String] {
        let all: [(HealthCauses, String)] = [
            (.unreachable, "unreachable"), (.failing, "failing"), (.draining, "draining"), (.absent, "absent"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}

extension Membership {
    /// Everything that stands against a backend of this service: what it is configured to, and what is found out.
    ///
    /// Draining and absence are the membership's: they change with the configuration, for a request either wholly or
    /// not at all. What is found out changes in between, and is the table's.
    package func causes(against backend: BackendHash, _ health: HealthTable) -> HealthCauses {
        guard let index = index(of: backend) else { return .absent }
        let found = health.causes(against: index)
        return backends[index].isDraining ? found.union(.draining) : found
    }
}
