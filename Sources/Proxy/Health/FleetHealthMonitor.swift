package import Affinity
import Logging
import NIOCore

/// Carries out what ``FleetHealth`` decides: has backends probed, marks what the fleet says of them, and speaks to the
/// other replicas. One for a replica that shares its store, confined to the loop of its prober.
package final class FleetHealthMonitor: HealthObserver {
    private struct Place {
        let service: String
        let backend: String
        let state: BackendState
    }

    private static let tickInterval = TimeAmount.milliseconds(50)

    private let prober: HealthProber
    private let loop: LoopContext
    private let channel: any FleetChannel
    private let key: FingerprintKey
    private var health: FleetHealth
    /// The backends of the services whose sessions are shared.
    private var places: [FleetBackend: Place] = [:]
    /// What the fleet calls them.
    private var names: [ObjectIdentifier: FleetBackend] = [:]
    /// Of all services.
    private var tables: [HealthTable] = []
    private var ticks: RepeatedTask?
    private var isTickComing = false
    private var isStopped = false

    /// The other replicas.
    package var roster: FleetRoster { health.roster }
    /// Payloads on the fleet's channel that told nothing: none of ours, or late.
    package var ignoredMessages: UInt64 { health.ignoredMessages }

    /// From here on, no sessions of the snapshot's services leave a backend without the fleet having agreed.
    ///
    /// - Parameters:
    ///   - own: how this replica introduces itself.
    ///   - key: the fleet's, which hashes the names of services.
    ///   - lease: milliseconds.
    package init(
        prober: HealthProber, snapshot: Snapshot, own: FleetMessage.Sender, key: FingerprintKey, lease: Int64,
        channel: any FleetChannel
    ) {
        self.prober = prober
        self.channel = channel
        self.key = key
        loop = prober.loop
        health = FleetHealth(
            own: own, backends: [], lease: lease,
            probeTimeout: prober.loop.limits.connectTimeout.nanoseconds / 1_000_000)
        prober.judge = self
        reconfigured(snapshot, configuration: own.configuration)
    }

    /// The replica is configured anew. To be called before any loop serves by it: what they may do with it depends on
    /// what the others of the fleet are configured to.
    ///
    /// - Parameter configuration: the fingerprint of what must be configured alike everywhere.
    package func reconfigured(_ snapshot: Snapshot, configuration: UInt64) {
        let old = places
        findPlaces(snapshot)
        // Nobody would take back what the fleet said of a backend that it judges no more.
        for (shared, place) in old where places[shared] == nil {
            place.state.setLeavable(false)
            place.state.setAvoided(false)
        }
        for table in tables { table.setJudgesAlone(health.isAlone) }
        let renewed = places.filter { shared, place in old[shared].map { $0.state !== place.state } ?? false }
        perform(
            health.reconfigured(
                configuration: configuration, backends: Set(places.keys), renewed: Set(renewed.keys), now: loop.now()))
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
            for (backend, state) in zip(service.membership.backends, service.health.backends) {
                let shared = FleetBackend(service: hash, backend: backend.hash)
                places[shared] = Place(service: service.name, backend: backend.name, state: state)
                names[ObjectIdentifier(state)] = shared
            }
        }
    }

    package func start() {
        let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
        ticks = loop.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: Self.tickInterval) { _ in
            bound.value.tick()
        }
    }

    /// Takes leave of the fleet and lets go of everything.
    package func stop() {
        // Unsaid, the others find out by its silence.
        _ = channel.publish(health.closeReason())
        isStopped = true
        ticks?.cancel()
        ticks = nil
    }

    /// A payload came on the fleet's channel.
    package func heard(_ payload: UnsafeRawBufferPointer) {
        perform(health.heard(payload, now: loop.now()))
    }

    /// The fleet's channel was subscribed to, for the first time or again.
    package func subscribed() {
        perform(health.subscribed(now: loop.now()))
    }

    // MARK: What the prober finds out

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

    // MARK: What the fleet decides

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
        place.state.setLeavable(value)
        guard value else { return }
        loop.logger.warning(
            "The fleet agrees that a backend is down; its sessions move with their next request.",
            metadata: ["service": "\(place.service)", "backend": "\(place.backend)"])
    }

    /// What is held back goes out as soon as it may, not only with the next tick.
    private func tickSoon() {
        guard !isTickComing else { return }
        isTickComing = true
        loop.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(FleetHealth.publicationGap)) { [self] in
            isTickComing = false
            tick()
        }
    }
}

@available(*, unavailable)
extension FleetHealthMonitor: Sendable {}

/// Where an event loop reports what its own connections say of backends: to the replica's ``HealthProber``, on
/// whichever loop that is.
package struct HealthEvidence: Sendable {
    enum Report: Sendable {
        /// A connection could not be made; it is tried once more.
        case suspected
        /// Two connections in a row could not be made. The loop has marked the backend down already.
        case unreachable
        /// A connection was made to a backend that was suspected or down.
        case reachable
    }

    private let take: @Sendable (Report, BackendState) -> Void

    init(_ take: @escaping @Sendable (Report, BackendState) -> Void) {
        self.take = take
    }

    func report(_ report: Report, _ backend: BackendState) { take(report, backend) }
}

/// The way to the other replicas, as the fleet's judge uses it: on the judge's event loop alone.
package protocol FleetChannel: AnyObject {
    /// How far the coherence channel is.
    var lease: FleetMessage.Lease { get }

    /// Sends the payload to everyone who listens, this replica included. Returns false where it cannot be sent now.
    func publish(_ payload: [UInt8]) -> Bool

    /// Whether all replicas that are heard are configured alike; told when it changes, true at first.
    func configurationsAgree(_ agree: Bool)
}
