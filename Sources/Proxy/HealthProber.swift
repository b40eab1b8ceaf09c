import Affinity
import Logging
import NIOCore
import NIOPosix
import Networking

/// Carries out what ``BackendHealth`` decides for the backends that this event loop found failing: marks them in the
/// replica's health table, and probes them by TCP connect until they answer, or are no longer configured.
///
/// Each loop probes what it found itself; whichever sees the backend answer first marks it up for all. Where the fleet
/// judges too, it is told of every change.
final class HealthProber {
    private let worker: Worker
    private var isStopped = false
    var evidence: HealthEvidence?

    init(worker: Worker) {
        self.worker = worker
    }

    /// A connection could not be made; it is tried once more.
    func backendSuspected(_ service: ServiceRuntime, _ pool: BackendPool) {
        guard service.isUp(pool) else { return }
        evidence?.suspected(service.description.name, pool.hash)
    }

    /// A connection could not be made, twice.
    func backendFailed(_ service: ServiceRuntime, _ pool: BackendPool) {
        guard let index = service.index(of: pool) else { return }
        // Another loop may have marked it up while this one still probes; the failure is newer.
        let isNews = service.description.health.markDown(index)
        perform(pool.reachability.connectionFailed(now: worker.loop.now()), service, pool)
        guard isNews else { return }
        worker.loop.logger.warning("A backend cannot be reached.", metadata: service.metadata(of: pool))
        evidence?.changed(service.description.name, pool.hash)
    }

    /// A connection was made that no request had asked for.
    func backendAnswered(_ service: ServiceRuntime, _ pool: BackendPool) {
        if pool.reachability.isUp {
            markUp(service, pool)
        } else {
            advance(service, pool) { $0.connectionSucceeded() }
        }
    }

    /// Whether a TCP connection can be made now, told in this turn of the loop or a later one.
    func probe(_ backend: Backend, then: @escaping (Bool) -> Void) {
        let bound = NIOLoopBound(then, eventLoop: worker.loop.eventLoop)
        ClientBootstrap(group: worker.loop.eventLoop)
            .connectTimeout(worker.loop.limits.connectTimeout)
            .connect(host: backend.host, port: backend.port, on: worker.loop.eventLoop, by: worker.loop.resolver)
            .flatMap { $0.close() }
            .whenComplete { result in
                switch result {
                case .success: bound.value(true)
                case .failure: bound.value(false)
                }
            }
    }

    func stop() {
        isStopped = true
    }

    private func perform(_ action: BackendHealth.Action, _ service: ServiceRuntime, _ pool: BackendPool) {
        switch action {
        case .doNothing:
            break
        case .markDown(let probeAt):
            schedule(probeAt, service, pool)
        case .probeAgain(let at):
            schedule(at, service, pool)
        case .probe:
            probe(pool.backend) { isUp in
                self.advance(service, pool) { state in
                    isUp ? state.probeSucceeded() : state.probeFailed(now: self.worker.loop.now())
                }
            }
        case .markUp:
            markUp(service, pool)
        }
    }

    private func schedule(_ at: Instant, _ service: ServiceRuntime, _ pool: BackendPool) {
        let bound = NIOLoopBound((self, service, pool), eventLoop: worker.loop.eventLoop)
        let delay = TimeAmount.milliseconds(max(0, at.milliseconds(since: worker.loop.now())) + 1)
        worker.loop.eventLoop.scheduleTask(in: delay) {
            let (prober, service, pool) = bound.value
            prober.advance(service, pool) { $0.probeIsDue(now: prober.worker.loop.now()) }
        }
    }

    private func markUp(_ service: ServiceRuntime, _ pool: BackendPool) {
        guard let index = service.index(of: pool), service.description.health.markUp(index) else { return }
        worker.loop.logger.notice("A backend can be reached again.", metadata: service.metadata(of: pool))
        evidence?.changed(service.description.name, pool.hash)
    }

    private func advance(
        _ service: ServiceRuntime, _ pool: BackendPool, _ event: (inout BackendHealth) -> BackendHealth.Action
    ) {
        guard !isStopped, !service.isRetired, service.index(of: pool) != nil else { return }
        perform(event(&pool.reachability), service, pool)
    }
}

@available(*, unavailable)
extension HealthProber: Sendable {}

extension ServiceRuntime {
    /// What a log line on one of its backends says.
    func metadata(of pool: BackendPool) -> Logger.Metadata {
        ["service": "\(description.name)", "backend": "\(pool.backend.name)"]
    }
}
