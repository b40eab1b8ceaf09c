import Affinity
import Logging
import NIOCore
import Proxy
import Store

/// Where a replica meets the others: hears the moves they make and what they say of themselves, tells them of itself,
/// and judges the health of backends with them. One for a replica that shares its store, on its first event loop.
final class FleetMember: FleetChannel {
    /// What it knows, for people and metrics.
    struct FleetStatus: Sendable {
        var lease: FleetMessage.Lease
        var generations: UInt64
        var moves: UInt64
        var others: [FleetRoster.Member]
        /// Whether a server that was replaced stops taking writes; nil before one was heard.
        var isFailoverGuarded: Bool?
    }

    private let channel: RedisChannel
    private let coherence: Coherence
    private let logger: Logger
    /// Nil once stopped.
    private var judge: FleetHealthMonitor?
    private var hasSaidGuard = false

    /// On the loop that the prober and the store belong to.
    ///
    /// - Parameters:
    ///   - own: how this replica introduces itself.
    ///   - key: the fleet's.
    ///   - lease: milliseconds.
    init(
        _ own: FleetMessage.Sender, key: FingerprintKey, lease: Int64, prober: HealthProber, snapshot: Snapshot,
        store: RedisStore, coherence: Coherence, cache: BindingCache, logger: Logger
    ) {
        self.coherence = coherence
        self.logger = logger
        channel = RedisChannel(
            store: store, instance: InstanceID(random: own.instance), lease: lease, coherence: coherence, cache: cache,
            logger: logger)
        judge = FleetHealthMonitor(
            prober: prober, snapshot: snapshot, own: own, key: key, lease: lease, channel: self)
    }

    /// Whether it is known if moves are heard.
    var isSettled: Bool { channel.isLive(.now) || channel.counters.connectionFailures > 0 }

    func start() {
        channel.onFleetMessage = { [weak self] payload, _ in self?.judge?.heard(payload) }
        channel.onSubscription = { [weak self] in self?.subscribed() }
        channel.start()
        judge?.start()
    }

    /// The replica is configured anew. To be called before any loop serves by it.
    func reconfigured(_ snapshot: Snapshot, _ fingerprint: ConfigurationFingerprint) {
        judge?.reconfigured(snapshot, configuration: fingerprint.bits)
    }

    /// To be called before the store is stopped.
    func stop() -> EventLoopFuture<Void> {
        judge?.stop()
        judge = nil
        return channel.stop()
    }

    var fleetStatus: FleetStatus {
        FleetStatus(
            lease: lease, generations: channel.generations, moves: channel.counters.rebinds,
            others: judge.map { Array($0.roster.members.values) } ?? [],
            isFailoverGuarded: channel.report?.demandsReplicas)
    }

    private func subscribed() {
        judge?.subscribed()
        guard !hasSaidGuard, let report = channel.report, !report.demandsReplicas else { return }
        hasSaidGuard = true
        logger.notice(
            "Redis accepts writes without replicas (min-replicas-to-write is 0); the bound on staleness does not hold across a failover.",
            metadata: ["replicas": "\(report.connectedReplicas)"])
    }

    // MARK: What the judge is given

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
