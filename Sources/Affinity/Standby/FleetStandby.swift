/// What the other replicas that are heard report of their standby.
package struct FleetStandby: Equatable, Sendable {
    /// Those that announce what they write.
    package var announcing: [UInt64] = []
    /// How many are heard at all.
    package var heard = 0
    /// How many read the whole store.
    package var scanning = 0
    /// Whether any offers what it knows to a store that may have lost data.
    package var isRefilling = false
    /// Whether any announces nothing: a replica of an earlier release, or one that may not.
    package var hasUnannounced = false

    package init() {}
}

extension FleetRoster {
    /// What the other replicas report of their standby, as last heard.
    package var standby: FleetStandby {
        var fleet = FleetStandby()
        fleet.heard = members.count
        for (instance, member) in members {
            guard let status = member.standby, status.announces else {
                fleet.hasUnannounced = true
                continue
            }
            fleet.announcing.append(instance)
            if status.isScanning { fleet.scanning += 1 }
            if status == .refilling { fleet.isRefilling = true }
        }
        return fleet
    }
}
