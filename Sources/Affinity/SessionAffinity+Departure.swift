/// Whether a session may be moved off a backend that is not usable here.
extension SessionAffinity {
    enum Departure {
        case move
        /// This request goes elsewhere, the session stays.
        case detour
        case reject
    }

    /// A replica that alone cannot reach a backend moves nobody: others may reach it. A move is also none while the
    /// channel is not live, for then this replica would not hear that it was made already; but when the store is away
    /// nobody can be asked, and the session has to be somewhere.
    func departure(
        of fingerprint: Fingerprint, from binding: Binding, _ now: Instant, storeIsAway: Bool
    ) -> Departure {
        if binding.isTombstone { return .move }
        let isLive = coherence.isLive(for: fingerprint, now: now)
        let isFree = storeIsAway && !isLive
        guard let index = membership.index(of: binding.backend) else {
            // No longer configured, so it will not come back; unless the others are configured otherwise.
            return coherence.configurationsAgree && (isFree || isLive) ? .move : .detour
        }
        switch settings.onUnavailable {
        case .move: return isFree || isLive && health.mayLeave(index) ? .move : .detour
        case .detour: return .detour
        case .reject: return .reject
        }
    }
}
