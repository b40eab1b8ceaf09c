package import Affinity
import Logging
import NIOCore

/// Carries out what ``FleetHealth`` decides: probes, marks the health tables, and speaks to the other replicas. One for
/// a replica that shares its store, confined to the loop of the worker whose prober it uses.
package final class FleetJudge {
    private static let tickInterval = TimeAmount.milliseconds(50)

    private let worker: Worker
    private let channel: any FleetChannel
    private let key: FingerprintKey
    private var health: FleetHealth
    /// The services whose sessions are shared.
    private var services: [ServiceHash: ServiceRuntime] = [:]
    private var hashes: [String: ServiceHash] = [:]
    private var ticks: RepeatedTask?
    private var isTickComing = false
    private var isStopped = false

    /// Where the workers of the replica, this judge's own included, report to. To be taken on this judge's loop.
    package var evidence: HealthEvidence { HealthEvidence(self, loop: worker.loop) }

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
            own: own, backends: [], lease: lease, probeTimeout: worker.limits.connectTimeout.nanoseconds / 1_000_000)
        findServices()
        health = FleetHealth(
            own: own, backends: backends, lease: lease,
            probeTimeout: worker.limits.connectTimeout.nanoseconds / 1_000_000)
        for service in worker.services { service.description.health.setJudgesAlone(false) }
    }

    private func findServices() {
        services = [:]
        hashes = [:]
        for service in worker.services where service.sticky != nil {
            let hash = ServiceHash.of(name: service.description.name, key: key)
            services[hash] = service
            hashes[service.description.name] = hash
        }
    }

    private var backends: Set<FleetBackend> {
        var backends: Set<FleetBackend> = []
        for (hash, service) in services {
            for pool in service.pools { backends.insert(FleetBackend(service: hash, backend: pool.hash)) }
        }
        return backends
    }

    package func start() {
        let bound = NIOLoopBound(self, eventLoop: worker.loop)
        ticks = worker.loop.scheduleRepeatedTask(initialDelay: .zero, delay: Self.tickInterval) { _ in
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
        perform(health.heard(payload, now: worker.now()))
    }

    /// The fleet's channel was subscribed to, for the first time or again.
    package func subscribed() {
        perform(health.subscribed(now: worker.now()))
    }

    func suspected(_ service: String, _ backend: BackendHash) {
        guard let hash = hashes[service] else { return }
        perform(health.suspected(FleetBackend(service: hash, backend: backend), now: worker.now()))
    }

    func changed(_ service: String, _ backend: BackendHash) {
        guard let hash = hashes[service] else { return }
        let shared = FleetBackend(service: hash, backend: backend)
        guard let (service, pool) = find(shared) else { return }
        perform(health.judged(shared, isUp: service.isUp(pool), now: worker.now()))
    }

    private func tick() {
        perform(health.tick(lease: channel.lease, now: worker.now()))
    }

    private func find(_ shared: FleetBackend) -> (ServiceRuntime, BackendPool)? {
        guard let service = services[shared.service],
            let index = service.description.membership.index(of: shared.backend)
        else { return nil }
        return (service, service.pools[index])
    }

    /// The health table that has the backend, and its place there.
    private func entry(_ shared: FleetBackend) -> (HealthTable, Int)? {
        guard let service = services[shared.service],
            let index = service.description.membership.index(of: shared.backend)
        else { return nil }
        return (service.description.health, index)
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
        guard let (service, pool) = find(shared), let (table, index) = entry(shared) else { return }
        table.setMayLeave(index, value)
        guard value else { return }
        worker.logger.warning(
            "The fleet agrees that a backend is down; its sessions are moved as they come.",
            metadata: service.metadata(of: pool))
    }

    /// What is held back goes out as soon as it may, not only with the next tick.
    private func tickSoon() {
        guard !isTickComing else { return }
        isTickComing = true
        let bound = NIOLoopBound(self, eventLoop: worker.loop)
        worker.loop.scheduleTask(in: .milliseconds(FleetHealth.publicationGap)) {
            bound.value.isTickComing = false
            bound.value.tick()
        }
    }

    private func probe(_ shared: FleetBackend) {
        guard let (service, pool) = find(shared), let prober = worker.prober else { return }
        prober.probe(pool.backend) { [self] isUp in
            guard !isStopped, service.index(of: pool) != nil else { return }
            // First the judgement, then the table, whose change is reported back: it is no news by then.
            perform(health.probed(shared, isUp: isUp, now: worker.now()))
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
