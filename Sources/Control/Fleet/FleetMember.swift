import Affinity
import Logging
import NIOCore
import Proxy
import Store

/// Connects a replica to the rest of the fleet: receives the other replicas' moves and reports, announces this replica,
/// and judges the health of backends together with them. A replica with a shared store has one, on its first event
/// loop.
final class FleetMember: FleetChannel {
    /// What it knows, for people and metrics.
    struct FleetStatus: Sendable {
        var lease: FleetMessage.Lease
        var generations: UInt64
        var moves: UInt64
        var others: [FleetRoster.Member]
        /// How much this replica knows of the sessions that it has not served.
        var standby: StandbyStatus
        var standbyCounters: Standby.Counters
        /// Whether a replaced Redis server stops taking writes. Nil until a server has reported it.
        var isFailoverGuarded: Bool?
        /// Where the primary is. Nil while it is not known.
        var primary: String?
        /// What the Sentinels say. Nil if the primary's endpoint is configured.
        var sentinels: SentinelMonitor.Status?
    }

    private let store: RedisStore
    private let channel: RedisChannel
    private let standby: RedisStandby
    private let sentinels: SentinelMonitor?
    private let coherence: Coherence
    private let logger: Logger
    /// Nil once stopped.
    private var judge: FleetHealthMonitor?
    /// At the last subscription.
    private var failoverGuard: FailoverGuard?
    private var log = StandbyLog()

    /// Runs on the loop of the prober and the store.
    ///
    /// - Parameters:
    ///   - own: how this replica introduces itself.
    ///   - key: the fleet's key.
    ///   - leaseMilliseconds: the lease of the coherence channel.
    init(
        _ own: FleetMessage.Sender, key: FingerprintKey, leaseMilliseconds: Int64, prober: HealthProber,
        snapshot: Snapshot,
        store: RedisStore, coherence: Coherence, cache: BindingCache, logger: Logger
    ) {
        self.store = store
        self.coherence = coherence
        self.logger = logger
        channel = RedisChannel(
            store: store, instance: InstanceID(random: own.instance), coherence: coherence, cache: cache,
            logger: logger)
        standby = RedisStandby(
            channel: channel, store: store, instance: own.instance, coherence: coherence, cache: cache)
        standby.reconfigured(recordLifetimeMilliseconds: Self.longestRecordLifetime(of: snapshot))
        sentinels = SentinelMonitor(store.primary, on: store.eventLoop, coherence: coherence, logger: logger)
        judge = FleetHealthMonitor(
            prober: prober, snapshot: snapshot, own: own, key: key, leaseMilliseconds: leaseMilliseconds, channel: self)
    }

    /// Whether the channel's state is known: it is live, or its connection has failed.
    var isSettled: Bool { channel.isLive(.now) || channel.counters.connectionFailures > 0 }

    func start() {
        channel.onFleetMessage = { [weak self] payload, _ in self?.judge?.received(payload) }
        channel.onSubscription = { [weak self] in self?.subscribed() }
        standby.fleet = { [weak self] in self?.judge?.roster.standby ?? FleetStandby() }
        standby.onStatus = { [weak self] status, isCount in self?.standbyChanged(to: status, isCount: isCount) }
        sentinels?.start()
        standby.start()
        channel.start()
        judge?.start()
    }

    /// The replica has a new configuration. Must be called before any loop uses it.
    func reconfigured(_ snapshot: Snapshot, _ fingerprint: ConfigurationFingerprint) {
        judge?.reconfigured(snapshot, configuration: fingerprint.bits)
        standby.reconfigured(recordLifetimeMilliseconds: Self.longestRecordLifetime(of: snapshot))
    }

    private static func longestRecordLifetime(of snapshot: Snapshot) -> Int64 {
        snapshot.services.map(\.settings.recordLifetimeMilliseconds).max()
            ?? AffinitySettings().recordLifetimeMilliseconds
    }

    /// Must be called before the store is stopped.
    func stop() -> EventLoopFuture<Void> {
        judge?.stop()
        judge = nil
        standby.stop()
        let end = channel.stop()
        guard let sentinels else { return end }
        return sentinels.stop().and(end).map { _ in }
    }

    var fleetStatus: FleetStatus {
        FleetStatus(
            lease: lease, generations: channel.generations, moves: channel.counters.rebinds,
            others: judge.map { Array($0.roster.members.values) } ?? [], standby: standby.status,
            standbyCounters: standby.counters, isFailoverGuarded: channel.report?.failoverGuard.isComplete,
            primary: primary, sentinels: sentinels?.status)
    }

    private var primary: String? {
        guard let sentinels else { return store.primary.settings.endpoint.place }
        return sentinels.status.primary?.description
    }

    private func subscribed() {
        judge?.subscribed()
        guard let report = channel.report, report.failoverGuard != failoverGuard else { return }
        failoverGuard = report.failoverGuard
        guard let warning = report.failoverGuard.warning else { return }
        var metadata: Logger.Metadata = ["replicas": "\(report.connectedReplicas)"]
        if let demanded = report.demandedReplicas { metadata["demanded"] = "\(demanded)" }
        logger.notice(warning, metadata: metadata)
    }

    // MARK: Standby

    private func standbyChanged(to status: StandbyStatus, isCount: Bool) {
        judge?.standbyChanged(to: status, isUrgent: !isCount)
        for line in log.lines(on: status) { logger.log(level: line.level, line.message, metadata: line.metadata) }
    }

    // MARK: FleetChannel

    var lease: FleetMessage.Lease {
        switch channel.state {
        case .down: .lost
        case .proving: .proving
        case .live: channel.isLive(.now) ? .live : .doubt
        }
    }

    func publish(_ payload: [UInt8]) -> Bool { channel.publishFleet(payload) }

    func configurationsAgree(_ agree: Bool) {
        coherence.setConfigurationsAgree(agree)
        guard !agree else { return logger.notice("All replicas have the same configuration again.") }
        let differing = judge?.roster.differing.map(\.sender.name).sorted() ?? []
        logger.warning(
            "The replicas have different configurations; compare them with `limpet fleet`.",
            metadata: ["differing": "\(differing.joined(separator: ", "))"])
    }
}

@available(*, unavailable)
extension FleetMember: Sendable {}
