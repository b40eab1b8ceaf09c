package import Affinity
import Logging
import NIOCore

/// Carries out what ``FleetHealth`` decides: probes, marks the health tables, and speaks to the other replicas. One for
/// a replica that shares its store, confined to the loop of the worker whose prober it uses.
package final class FleetJudge {
    private static let tickInterval = TimeAmount.milliseconds(50)

    private let worker: Worker
    private let channel: any FleetChannel
    private var health: FleetHealth
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
        let services = worker.services.map { service in
            FleetHealth.Service(
                hash: .of(name: service.description.name, key: key),
                backends: service.sticky == nil ? [] : service.description.membership.backends.map(\.hash))
        }
        health = FleetHealth(
            own: own, services: services, lease: lease,
            probeTimeout: worker.limits.connectTimeout.nanoseconds / 1_000_000)
        for service in worker.services { service.description.health.setJudgesAlone(false) }
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

    func suspected(_ place: BackendPlace) {
        perform(health.suspected(place, now: worker.now()))
    }

    func changed(_ place: BackendPlace) {
        guard let service = service(of: place) else { return }
        let isUp = service.description.health.isUp(place.backend)
        perform(health.judged(place, isUp: isUp, now: worker.now()))
    }

    private func tick() {
        perform(health.tick(lease: channel.lease, now: worker.now()))
    }

    private func service(of place: BackendPlace) -> ServiceRuntime? {
        worker.services.indices.contains(place.service) ? worker.services[place.service] : nil
    }

    private func perform(_ actions: [FleetHealth.Action]) {
        guard !isStopped else { return }
        for action in actions {
            switch action {
            case .publish(let payload):
                if !channel.publish(payload) { health.publicationFailed() }
            case .probe(let place):
                probe(place)
            case .setMayLeave(let place, let value):
                setMayLeave(place, value)
            case .setAvoided(let place, let value):
                service(of: place)?.description.health.setAvoided(place.backend, value)
            case .setAlone(let value):
                for service in worker.services { service.description.health.setJudgesAlone(value) }
            case .setConfigurationsAgree(let value):
                channel.configurationsAgree(value)
            }
        }
        if health.isHoldingBack { tickSoon() }
    }

    private func setMayLeave(_ place: BackendPlace, _ value: Bool) {
        guard let service = service(of: place) else { return }
        service.description.health.setMayLeave(place.backend, value)
        guard value else { return }
        worker.logger.warning(
            "The fleet agrees that a backend is down; its sessions are moved as they come.",
            metadata: service.metadata(of: place.backend))
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

    private func probe(_ place: BackendPlace) {
        guard let service = service(of: place), let prober = worker.prober else { return }
        prober.probe(service, place.backend) { [self] isUp in
            guard !isStopped else { return }
            // First the judgement, then the table, whose change is reported back: it is no news by then.
            perform(health.probed(place, isUp: isUp, now: worker.now()))
            if isUp {
                prober.backendAnswered(service, place.backend)
            } else if health.isDown(place) {
                prober.backendFailed(service, place.backend)
            }
        }
    }
}

@available(*, unavailable)
extension FleetJudge: Sendable {}
