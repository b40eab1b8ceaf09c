import Affinity
import Store

/// A replica: the production cores, surrounded by a model of the process.
final class SimulatedReplica {
    /// The state of one event loop.
    struct Loop {
        var affinity: SessionAffinity
        var flights = SingleFlight<Int>()
        /// The connections to the primaries.
        var data: [SimulatedConnection?]
    }

    /// The coherence channel to one primary.
    struct Hearing {
        var channel: CoherenceChannel
        var subscriber: SimulatedConnection?
        /// The server of the last subscription.
        var server: SimulatedServer?
        /// When the last heartbeat that has come back reached the server.
        var echoedAt: Moment = -1
        /// Since when the channel has been proven in this generation.
        var liveSince: Moment = .max
        var standby: SimulatedStandby?
        /// The first published start of a generation, kept while the rule `generation` is off.
        var oldest: Instant?
    }

    let index: Int
    /// The random number of the process.
    let instance: UInt64
    let release: SimulatedStandby.Release
    /// When the process began.
    let beganAt: Moment
    /// Incremented with each process.
    var life = 0
    var membershipIndex = 0
    let service: ServiceHash
    let membership: Membership
    /// The indices of its backends in the simulation's `world`.
    let places: [Int]
    let cache: BindingCache
    let coherence: Coherence
    let health: HealthTable
    let renewal: CookieRenewal
    var loops: [Loop] = []
    var view = SentinelView()
    var hearings: [Hearing]
    var fleet: FleetHealth
    var isFleetTickComing = false
    var probes: [BackendProbe]
    /// The health checks of backends for which a check may fail; nil: none needs to be simulated.
    var checks: [BackendCheck?]
    var pausedUntil: Moment = 0
    /// The number of consecutive failed connection attempts.
    var failedAttempts = 0
    /// This replica's own writes that were acknowledged and published.
    var acknowledged: [(session: Fingerprint, binding: Binding, at: Moment)] = []
    /// When the store last answered a request for a session.
    var answered: [Fingerprint: Moment] = [:]
    /// The binding of this replica's last acknowledged write.
    var written: [Fingerprint: Binding] = [:]
    /// Without `askedAgain`: the sessions whose writes had no result, and since when.
    var unsure: [(session: Fingerprint, since: Instant)] = []
    /// What the fleet was last told of its standby.
    var status: StandbyStatus?
    /// Since when its backends have been usable for it.
    var usableSince: [Moment]
    var lastTouches: [Fingerprint: [Moment]] = [:]
    private let drift: Int64
    private let wallStart: Int64
    private let origin: Int64

    init(
        index: Int, life: Int, membershipIndex: Int, membership: Membership, places: [Int], scenario: Scenario,
        key: FingerprintKey, judgesAlone: Bool, settings: AffinitySettings, instance: UInt64,
        release: SimulatedStandby.Release, now: Moment
    ) {
        self.index = index
        self.instance = instance
        self.release = release
        beganAt = now
        usableSince = Array(repeating: now, count: membership.count)
        self.life = life
        self.membershipIndex = membershipIndex
        self.membership = membership
        self.places = places
        drift = scenario.clockDrift[index]
        origin = 1_000_000_000_000 + Int64(index) * 7_654_321_987
        wallStart = 1_700_000_000 + scenario.wallOffset[index]
        cache = BindingCache(entries: scenario.cacheEntries, shards: 1)
        coherence = Coherence(primaries: scenario.primaryCount)
        health = HealthTable(count: membership.count, judgesAlone: judgesAlone)
        renewal = CookieRenewal(
            idleTimeoutMilliseconds: settings.idleTimeoutMilliseconds,
            absoluteTimeoutMilliseconds: settings.absoluteTimeoutMilliseconds,
            toleranceMaxSeconds: scenario.clockTolerance)
        let channel = CoherenceChannel(leaseMilliseconds: scenario.settings.leaseMilliseconds)
        hearings = (0..<scenario.primaryCount).map { _ in Hearing(channel: channel) }
        probes = Array(repeating: BackendProbe(), count: membership.count)
        checks = Array(repeating: nil, count: membership.count)
        let service = ServiceHash.of(name: "service", key: key)
        self.service = service
        fleet = FleetHealth(
            own: .init(instance: instance, configuration: UInt64(membershipIndex), name: "replica", version: "1"),
            backends: Set(membership.backends.map { FleetBackend(service: service, backend: $0.hash) }),
            leaseMilliseconds: scenario.settings.leaseMilliseconds,
            probeTimeoutMilliseconds: Simulation.connectTimeout / 1000)
        let affinity = SessionAffinity(
            membership: membership, cache: cache, coherence: coherence, health: health, settings: settings,
            wallOrigin: wallStart * 1_000_000_000 - origin)
        loops = (0..<scenario.loopCount).map { _ in
            Loop(affinity: affinity, data: Array(repeating: nil, count: scenario.primaryCount))
        }
        guard release != .before else { return }
        for primary in hearings.indices {
            hearings[primary].standby = SimulatedStandby(
                core: Standby(
                    primary: primary, instance: instance, cache: cache, coherence: coherence,
                    budgetMilliseconds: settings.budgetMilliseconds,
                    recordLifetimeMilliseconds: settings.recordLifetimeMilliseconds, now: instant(now)))
        }
    }

    /// The identifier of a backend in messages to the other replicas.
    func shared(_ backend: Int) -> FleetBackend {
        FleetBackend(service: service, backend: membership.backends[backend].hash)
    }

    func instant(_ now: Moment) -> Instant {
        Instant(nanoseconds: origin + now * 1000 + now * drift / 1000)
    }

    func wall(_ now: Moment) -> UInt32 { UInt32(clamping: wallStart + now / 1_000_000) }

    /// Whether an operation that a request waits for would be sent.
    func mayAsk(loop: Int, about session: Fingerprint, now: Moment) -> Bool {
        let primary = coherence.primaries.primary(of: session)
        return mayAsk(loop: loop, primary: primary)
            && loops[loop].data[primary]?.breaker.admits(now: instant(now)) == true
    }

    func mayAsk(loop: Int, primary: Int) -> Bool {
        guard let connection = loops[loop].data[primary], connection.isServing, connection.isOpen else { return false }
        return !connection.breaker.isOpen && view.trusts(connection)
    }

    func isFromChannelServer(_ connection: SimulatedConnection) -> Bool {
        guard let server = hearings[connection.primary].channel.subscribed else { return false }
        return connection.identity == server
    }

    /// Whether this replica would use the entry for its session without querying the store.
    func isCurrent(_ entry: BindingCache.Entry, of session: Fingerprint, hint: Hint?, now: Moment) -> Bool {
        entry.kind == .confirmed && !entry.binding.isTombstone && !entry.isSuspect
            && hint.map { $0.binding.epoch <= entry.binding.epoch } ?? true
            && coherence.covers(entry.confirmedAt, of: session, now: instant(now))
    }
}
