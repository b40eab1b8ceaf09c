package import Affinity
import Logging
import NIOCore

/// Carries out what ``FleetHealth`` decides: probes, marks the health tables, and speaks to the other replicas. One for
/// a replica that shares its store, confined to the loop of the worker whose prober it uses.
package final class FleetJudge {
    private struct Place {
        let service: ServiceRuntime
        let pool: BackendPool
    }

    private static let tickInterval = TimeAmount.milliseconds(50)

    private let worker: Worker
    private let channel: any FleetChannel
    private let key: FingerprintKey
    private var health: FleetHealth
    /// The backends of the services whose sessions are shared.
    private var places: [FleetBackend: Place] = [:]
    /// The hashes of those services, by name.
    private var hashes: [String: ServiceHash] = [:]
    private var ticks: RepeatedTask?
    private var isTickComing = false
    private var isStopped = false

    /// Where the workers of the replica, this judge's own included, report to. To be taken on this judge's loop.
    package var evidence: HealthEvidence { HealthEvidence(self, loop: worker.loop.eventLoop) }

    /// The other replicas.
    package var roster: FleetRoster { health.roster }
    /// Payloads on the fleet's channel that told nothing: none of ours, or late.
    package var ignoredMessages: UInt64 { health.ignoredMessages }

    /// From here on, no sessions of this worker's services leave a backend without the fleet having agreed.
    ///
    /// - Parameters:
    ///   - own: how this replica introduces itself.
    ///   - key: the fleet's, which hashes the names of services.
    ///   - lease: milliseconds.
    package init(
        worker: Worker, own: FleetMessage.Sender, key: FingerprintKey, lease: Int64, channel: any FleetChannel
    ) {
        self.worker = worker
        self.channel = channel
        self.key = key
        health = FleetHealth(
            own: own, backends: [], lease: lease,
            probeTimeout: worker.loop.limits.connectTimeout.nanoseconds / 1_000_000)
        reconfigured(configuration: own.configuration)
    }

    /// The worker has taken over another configuration, in this turn of the loop. To be called before other workers do:
    /// what they may do with it depends on what the others of the fleet are configured to.
    ///
    /// - Parameter configuration: the fingerprint of what must be configured alike everywhere.
    package func reconfigured(configuration: UInt64) {
        let old = places
        findPlaces()
        for (shared, place) in old where places[shared] == nil { forget(place) }
        for service in worker.services { service.description.health.setJudgesAlone(health.isAlone) }
        let renewed = places.filter { shared, place in old[shared].map { $0.pool !== place.pool } ?? false }
        perform(
            health.reconfigured(
                configuration: configuration, backends: Set(places.keys), renewed: Set(renewed.keys),
                now: worker.loop.now()))
        for (shared, place) in places where !place.service.isUp(place.pool) {
            perform(health.judged(shared, isUp: false, now: worker.loop.now()))
        }
    }

    /// Nobody would take back what the fleet said of a backend that it judges no more.
    private func forget(_ place: Place) {
        guard let index = place.service.index(of: place.pool) else { return }
        place.service.description.health.setMayLeave(index, false)
        place.service.description.health.setAvoided(index, false)
    }

    private func findPlaces() {
        places = [:]
        hashes = [:]
        for service in worker.services where service.sharesSessions {
            let hash = ServiceHash.of(name: service.description.name, key: key)
            hashes[service.description.name] = hash
            for pool in service.pools {
                places[FleetBackend(service: hash, backend: pool.hash)] = Place(service: service, pool: pool)
            }
        }
    }

    package func start() {
        let bound = NIOLoopBound(self, eventLoop: worker.loop.eventLoop)
        ticks = worker.loop.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: Self.tickInterval) { _ in
            bound.value.tick()
        }
    }

    /// Takes leave of the fleet and lets go of everything. To be called before the worker is shut down.
    package func stop() {
        // Unsaid, the others find out by its silence.
        _ = channel.publish(health.farewell())
        isStopped = true
        ticks?.cancel()
        ticks = nil
    }

    /// A payload came on the fleet's channel.
    package func heard(_ payload: UnsafeRawBufferPointer) {
        perform(health.heard(payload, now: worker.loop.now()))
    }

    /// The fleet's channel was subscribed to, for the first time or again.
    package func subscribed() {
        perform(health.subscribed(now: worker.loop.now()))
    }

    func suspected(_ service: String, _ backend: BackendHash) {
        guard let hash = hashes[service] else { return }
        perform(health.suspected(FleetBackend(service: hash, backend: backend), now: worker.loop.now()))
    }

    func changed(_ service: String, _ backend: BackendHash) {
        guard let hash = hashes[service] else { return }
        let shared = FleetBackend(service: hash, backend: backend)
        guard let (table, index) = entry(shared) else { return }
        perform(health.judged(shared, isUp: table.isUp(index), now: worker.loop.now()))
    }

    private func tick() {
        perform(health.tick(lease: channel.lease, now: worker.loop.now()))
    }

    /// The health table that has the backend, and its index there.
    private func entry(_ shared: FleetBackend) -> (HealthTable, Int)? {
        guard let place = places[shared], let index = place.service.index(of: place.pool) else { return nil }
        return (place.service.description.health, index)
    }

    private func perform(_ actions: [FleetHealth.Action]) {
        guard !isStopped else { return }
        for action in actions {
            switch action {
            case .publish(let payload):
                if !channel.publish(payload) { health.publicationFailed() }
            case .probe(let shared):
                probe(shared)
            case .setMayLeave(let shared, let value):
                setMayLeave(shared, value)
            case .setAvoided(let shared, let value):
                if let (table, index) = entry(shared) { table.setAvoided(index, value) }
            case .setAlone(let value):
                for service in worker.services { service.description.health.setJudgesAlone(value) }
            case .setConfigurationsAgree(let value):
                channel.configurationsAgree(value)
            }
        }
        if health.isHoldingBack { tickSoon() }
    }

    private func setMayLeave(_ shared: FleetBackend, _ value: Bool) {
        guard let (table, index) = entry(shared) else { return }
        table.setMayLeave(index, value)
        guard value, let place = places[shared] else { return }
        worker.loop.logger.warning(
            "The fleet agrees that a backend is down; its sessions are moved as they come.",
            metadata: place.service.metadata(of: place.pool))
    }

    /// What is held back goes out as soon as it may, not only with the next tick.
    private func tickSoon() {
        guard !isTickComing else { return }
        isTickComing = true
        let bound = NIOLoopBound(self, eventLoop: worker.loop.eventLoop)
        worker.loop.eventLoop.scheduleTask(in: .milliseconds(FleetHealth.publicationGap)) {
            bound.value.isTickComing = false
            bound.value.tick()
        }
    }

    private func probe(_ shared: FleetBackend) {
        guard let place = places[shared], let prober = worker.prober else { return }
        let (service, pool) = (place.service, place.pool)
        prober.probe(pool.backend) { [self] isUp in
            guard !isStopped, service.index(of: pool) != nil else { return }
            // First the judgement, then the table, whose change is reported back: it is no news by then.
            perform(health.probed(shared, isUp: isUp, now: worker.loop.now()))
            if isUp {
                prober.backendAnswered(service, pool)
            } else if health.isDown(shared) {
                prober.backendFailed(service, pool)
            }
        }
    }
}

@available(*, unavailable)
extension FleetJudge: Sendable {}
