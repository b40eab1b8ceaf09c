import Affinity

/// Touches that one replica sends for all.
extension Simulation {
    /// Whether the replica knows that the record lives for as long as a hint vouches for. Without the rule, it is as if
    /// every touch succeeded.
    func recordLives(_ request: SimulatedRequest, _ route: Route) -> Bool {
        guard has(.vouchedLife), !request.decision.isNew else { return true }
        let replica = request.replica
        return replica.loops[request.loop].affinity.recordLives(
            forMilliseconds: replica.renewal.vouchedLifeMilliseconds, request.session, route.binding,
            now: replica.instant(now))
    }

    /// Whether the request's hint vouches for the record.
    func vouches(_ hint: Hint?, at replica: SimulatedReplica) -> Bool {
        guard let hint, replica.renewal.vouches(hint, now: replica.wall(now)) else { return false }
        coverage.count("hints that vouch")
        return true
    }

    /// The client never receives what the next response sets.
    func loseCookie(_ client: Int) {
        guard clients[client].hasCookie, !clients[client].isNew else { return }
        clients[client].losesCookie = true
    }
}
