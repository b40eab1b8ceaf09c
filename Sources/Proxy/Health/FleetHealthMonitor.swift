package import Affinity
import Logging
import NIOCore

/// Carries out the decisions of ``FleetHealth``: has backends probed, marks them as the fleet decides, and communicates
/// with the other replicas. A replica that shares its store has one, confined to the loop of its prober.
package final class FleetHealthMonitor: HealthObserver {
    private struct Place {
        let service: String
        let backend: String
        let state: BackendState
        /// How long a probe of it may take.
        let probeTimeoutMilliseconds: Int64
    }

    private static let tickInterval = TimeAmount.milliseconds(50)

    private let prober: HealthProber
    private let loop: LoopContext
    private let channel: any FleetChannel
    private let key: FingerprintKey
    private var health: FleetHealth
    /// The backends of the services whose sessions are shared.
    private var places: [FleetBackend: Place] = [:]
    /// The fleet's identifier for each backend.
    private var names: [ObjectIdentifier: FleetBackend] = [:]
    /// The health tables of all services.
    private var tables: [HealthTable] = []
    private var ticks: RepeatedTask?
    private var isTickComing = false
    private var isStopped = false

    /// The other replicas.
    package var roster: FleetRoster { health.roster }
    /// Payloads on the fleet's channel that had no effect: malformed or late.
    package var ignoredMessages: UInt64 { health.ignoredMessages }

    /// From now on, no sessions of the snapshot's services leave a backend without the agreement of the fleet.
    ///
    /// - Parameters:
    ///   - own: how this replica introduces itself.
    ///   - key: the fleet's key, which hashes the names of services.
    ///   - leaseMilliseconds: the lease of the coherence channel.
    package init(
        prober: HealthProber, snapshot: Snapshot, own: FleetMessage.Sender, key: FingerprintKey,
        leaseMilliseconds: Int64,
        channel: any FleetChannel
    ) {
        self.prober = prober
        self.channel = channel
        self.key = key
        loop = prober.loop
        health = FleetHealth(
            own: own, backends: [], leaseMilliseconds: leaseMilliseconds,
            probeTimeoutMilliseconds: PoolLimits().probeTimeout.nanoseconds / 1_000_000,
            standby: .notSynced(.waiting))
        prober.judge = self
        reconfigured(snapshot, configuration: own.configuration)
    }

    /// The other replicas hear of it with the next message.
    /// - Parameter isUrgent: whether that is news which does not wait for the next message in turn.
    package func standbyChanged(to status: StandbyStatus, isUrgent: Bool) {
        health.standbyChanged(to: status, isUrgent: isUrgent)
    }

    /// Applies a new configuration. Call it before any loop serves by that configuration: what the loops may do with it
    /// depends on the configuration of the other replicas.
    ///
    /// - Parameter configuration: the fingerprint of the settings that must be equal on all replicas.
    package func reconfigured(_ snapshot: Snapshot, configuration: UInt64) {
        let old = places
        findPlaces(snapshot)
        // The fleet no longer judges these backends, so nothing else would undo what it said about them.
        for (shared, place) in old where places[shared] == nil {
            place.state.setMayReassign(false)
            place.state.setAvoided(false)
        }
        for table in tables { table.setJudgesAlone(health.isAlone) }
        let renewed = places.filter { shared, place in old[shared].map { $0.state !== place.state } ?? false }
        perform(
            health.reconfigured(
                configuration: configuration, backends: Set(places.keys), renewed: Set(renewed.keys),
                slowProbes: places.mapValues(\.probeTimeoutMilliseconds), now: loop.now()))
        for (shared, place) in places where !place.state.isUp {
            perform(health.judged(shared, isUp: false, now: loop.now()))
        }
    }

    private func findPlaces(_ snapshot: Snapshot) {
        places = [:]
        names = [:]
        tables = snapshot.services.map(\.health)
        for (service, isShared) in zip(snapshot.services, snapshot.sharesSessions) where isShared {
            let hash = ServiceHash.of(name: service.name, key: key)
            let probeTimeout = Self.probeTimeoutMilliseconds(service)
            for (backend, state) in zip(service.membership.backends, service.health.backends) {
                let shared = FleetBackend(service: hash, backend: backend.hash)
                places[shared] = Place(
                    service: service.name, backend: backend.name, state: state,
                    probeTimeoutMilliseconds: probeTimeout)
                names[ObjectIdentifier(state)] = shared
            }
        }
    }

    /// A backend with a health check is probed by a check, and may be by a connection at the same time.
    private static func probeTimeoutMilliseconds(_ service: Service) -> Int64 {
        let connecting = service.limits.pool.probeTimeout.nanoseconds / 1_000_000
        guard let check = service.healthCheck else { return connecting }
        return max(connecting, check.pace.timeoutMilliseconds + DeadlineScan.interval.nanoseconds / 1_000_000)
    }

    package func start() {
        let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
        ticks = loop.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: Self.tickInterval) { _ in
            bound.value.tick()
        }
    }

    /// Leaves the fleet and releases everything.
    package func stop() {
        // If the message is not sent, the others notice the silence.
        _ = channel.publish(health.closeReason())
        isStopped = true
        ticks?.cancel()
        ticks = nil
    }

    /// A payload arrived on the fleet's channel.
    package func received(_ payload: UnsafeRawBufferPointer) {
        perform(health.received(payload, now: loop.now()))
    }

    /// The subscription to the fleet's channel was established, for the first time or again.
    package func subscribed() {
        perform(health.subscribed(now: loop.now()))
    }

    // MARK: Events from the prober

    func suspected(_ backend: BackendState) {
        guard let shared = names[ObjectIdentifier(backend)] else { return }
        perform(health.suspected(shared, now: loop.now()))
    }

    func changed(_ backend: BackendState) {
        guard let shared = names[ObjectIdentifier(backend)] else { return }
        perform(health.judged(shared, isUp: backend.isUp, now: loop.now()))
    }

    func probed(_ backend: BackendState, isUp: Bool) -> Bool {
        guard !isStopped, let shared = names[ObjectIdentifier(backend)] else { return false }
        perform(health.probed(shared, isUp: isUp, now: loop.now()))
        return health.isDown(shared)
    }

    // MARK: Decisions of the fleet

    private func tick() {
        perform(health.tick(lease: channel.lease, now: loop.now()))
    }

    private func perform(_ actions: [FleetHealth.Action]) {
        guard !isStopped else { return }
        for action in actions {
            switch action {
            case .publish(let payload):
                if !channel.publish(payload) { health.publicationFailed() }
            case .probe(let shared):
                if let place = places[shared] { prober.probe(place.state) }
            case .setMayReassign(let shared, let value):
                setMayReassign(shared, value)
            case .setAvoided(let shared, let value):
                places[shared]?.state.setAvoided(value)
            case .setAlone(let value):
                for table in tables { table.setJudgesAlone(value) }
            case .setConfigurationsAgree(let value):
                channel.configurationsAgree(value)
            }
        }
        if health.isHoldingBack { tickSoon() }
    }

    private func setMayReassign(_ shared: FleetBackend, _ value: Bool) {
        guard let place = places[shared] else { return }
        place.state.setMayReassign(value)
        guard value else { return }
        loop.logger.warning(
            "The fleet agrees that a backend is down; its sessions move with their next request.",
            metadata: ["service": "\(place.service)", "backend": "\(place.backend)"])
    }

    /// Publishes what is held back as soon as allowed, instead of waiting for the next tick.
    private func tickSoon() {
        guard !isTickComing else { return }
        isTickComing = true
        loop.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(FleetHealth.publicationGapMilliseconds)) {
            [self] in
            isTickComing = false
            tick()
        }
    }
}

@available(*, unavailable)
extension FleetHealthMonitor: Sendable {}

/// Receives what an event loop's own connections reveal about backends, and passes it to the replica's
/// ``HealthProber``, on any loop.
package struct HealthEvidence: Sendable {
    enum Report: Sendable {
        /// A connection attempt failed; another is being made.
        case suspected
        /// Two connection attempts in a row failed. The loop has already marked the backend down.
        case unreachable
        /// A connection to a suspected or down backend succeeded.
        case reachable
        /// A request that had been sent failed, at a service that counts such failures.
        case requestFailed(FailingReason)
    }

    private let take: @Sendable (Report, BackendState) -> Void

    init(_ take: @escaping @Sendable (Report, BackendState) -> Void) {
        self.take = take
    }

    func report(_ report: Report, _ backend: BackendState) { take(report, backend) }
}

/// The connection to the other replicas, as the fleet's health monitor uses it, confined to the monitor's event loop.
package protocol FleetChannel: AnyObject {
    /// The state of the coherence channel's lease.
    var lease: FleetMessage.Lease { get }

    /// Sends the payload to all subscribers, including this replica. Returns false if it cannot be sent now.
    func publish(_ payload: [UInt8]) -> Bool

    /// Whether all replicas that are heard have the same configuration; called when this changes. Initially true.
    func configurationsAgree(_ agree: Bool)
}
