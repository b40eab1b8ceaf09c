import Affinity
import Proxy

/// What a replica has found out about one server, and gives it to do, as `/api/http/services` shows it.
struct ServerStateView: Encodable, Equatable, Sendable {
    enum Verdict: String, Encodable, Sendable {
        case healthy, failing
        /// Added while the replica runs, and without a good check so far.
        case unproven
    }

    struct Check: Encodable, Equatable, Sendable {
        /// Null: none has ended yet.
        @ExplicitNull var last: LastCheck?
        var verdict: Verdict
    }

    /// The last check that ended. It decides nothing by itself where `rise` or `fall` is more than 1.
    struct LastCheck: Encodable, Equatable, Sendable {
        /// As in the metric `limpet_health_checks_total`.
        var outcome: String
        /// What failed, for people; null if it was good.
        @ExplicitNull var detail: String?
        var agoMilliseconds: Int64
    }

    struct Requests: Encodable, Equatable, Sendable {
        var underWay: Int
        var waiting: Int
        /// Since the replica's start.
        var waited: UInt64
        var refused: UInt64
    }

    /// Null: the server is not checked.
    @ExplicitNull var healthCheck: Check?
    /// Whether it gets new sessions only if no other server can take them, because it waits for its first good check.
    var newcomer: Bool
    /// How much of its share of new sessions it is given now: less than 1 while it starts slowly.
    var share: Double
    /// On all event loops. Null: the server has no limit of requests.
    @ExplicitNull var requests: Requests?
}

extension ServerStateView {
    init(_ state: BackendState, of service: Proxy.Service, now: Instant) {
        let share = state.share(slowStartMilliseconds: service.slowStartMilliseconds, now: now)
        self.init(
            healthCheck: service.healthCheck.map { _ in Check(state, now: now) }, newcomer: state.isNewcomer,
            share: Double(share) / Double(BackendState.wholeShare),
            requests: service.limits.pool.maxRequests.map { _ in Requests(state.capacity.counts) })
    }
}

extension ServerStateView.Check {
    fileprivate init(_ state: BackendState, now: Instant) {
        self.init(
            last: state.checkCounts.last.map { last in
                ServerStateView.LastCheck(
                    outcome: CheckCounts.Outcome(last.failure).rawValue, detail: last.failure?.text,
                    agoMilliseconds: max(0, now.milliseconds(since: last.endedAt)))
            },
            verdict: state.isNewcomer ? .unproven : state.has(.failing) ? .failing : .healthy)
    }
}

extension ServerStateView.Requests {
    fileprivate init(_ counts: BackendCapacity.Counts) {
        self.init(
            underWay: counts.underWay, waiting: counts.waiting, waited: counts.waited, refused: counts.refused)
    }
}
