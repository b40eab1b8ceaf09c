/// The causes against a backend here. Each comes and goes independently; a backend without causes takes any request.
package struct HealthCauses: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Connections to the backend fail. Requests and probes find this out; it ends when a connection is made.
    package static let unreachable = HealthCauses(rawValue: 1)
    /// The backend can be reached and does not work: its health check or its requests fail, or its container is
    /// unhealthy. See ``FailingReason``.
    package static let failing = HealthCauses(rawValue: 2)
    /// The backend is configured to keep its sessions, and to get new ones only if no other backend can take them.
    package static let draining = HealthCauses(rawValue: 4)
    /// The backend is not configured.
    package static let absent = HealthCauses(rawValue: 8)

    /// Whether the backend may be given the requests of its sessions.
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
    /// Every cause against a backend of this service: those configured and those found out.
    ///
    /// Draining and absence belong to the membership: they change with the configuration, for a request either wholly
    /// or not at all. The causes found out change in between, and belong to the table.
    package func causes(against backend: BackendHash, _ health: HealthTable) -> HealthCauses {
        guard let index = index(of: backend) else { return .absent }
        let found = health.causes(against: index)
        return backends[index].isDraining ? found.union(.draining) : found
    }
}
