import Affinity
import Logging
import NIOCore
import NIOPosix

/// Carries out what ``BackendHealth`` decides for the backends that this event loop found failing: marks them in the
/// replica's health table, and probes them by TCP connect until they answer.
///
/// Each loop probes what it found itself; whichever sees the backend answer first marks it up for all. Where the fleet
/// judges too, it is told of every change.
final class HealthProber {
    private let worker: Worker
    private var states: [BackendPlace: BackendHealth] = [:]
    private var isStopped = false
    var evidence: HealthEvidence?

    init(worker: Worker) {
        self.worker = worker
    }

    /// A connection could not be made; it is tried once more.
    func backendSuspected(_ service: ServiceRuntime, _ backend: Int) {
        guard service.description.health.isUp(backend) else { return }
        evidence?.suspected(BackendPlace(service: service.index, backend: backend))
    }

    /// A connection could not be made, twice.
    func backendFailed(_ service: ServiceRuntime, _ backend: Int) {
        // Another loop may have marked it up while this one still probes; the failure is newer.
        let isNews = service.description.health.markDown(backend)
        let place = BackendPlace(service: service.index, backend: backend)
        let action = states[place, default: BackendHealth()].connectionFailed(now: worker.now())
        perform(action, place, service)
        guard isNews else { return }
        worker.logger.warning("A backend cannot be reached.", metadata: service.metadata(of: backend))
        evidence?.changed(place)
    }

    /// A connection was made that no request had asked for.
    func backendAnswered(_ service: ServiceRuntime, _ backend: Int) {
        let place = BackendPlace(service: service.index, backend: backend)
        if states[place] == nil {
            markUp(place, service)
        } else {
            advance(place, service) { $0.connectionSucceeded() }
        }
    }

    /// Whether a TCP connection can be made now, told in this turn of the loop or a later one.
    func probe(_ service: ServiceRuntime, _ backend: Int, then: @escaping (Bool) -> Void) {
        let backend = service.pools[backend].backend
        let bound = NIOLoopBound(then, eventLoop: worker.loop)
        ClientBootstrap(group: worker.loop)
            .connectTimeout(worker.limits.connectTimeout)
            .connect(host: backend.host, port: backend.port)
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
        states = [:]
    }

    private func perform(_ action: BackendHealth.Action, _ place: BackendPlace, _ service: ServiceRuntime) {
        switch action {
        case .doNothing:
            break
        case .markDown(let probeAt):
            schedule(probeAt, place, service)
        case .probeAgain(let at):
            schedule(at, place, service)
        case .probe:
            probe(place, service)
        case .markUp:
            states[place] = nil
            markUp(place, service)
        }
    }

    private func schedule(_ at: Instant, _ place: BackendPlace, _ service: ServiceRuntime) {
        let bound = NIOLoopBound((self, service), eventLoop: worker.loop)
        let delay = TimeAmount.milliseconds(max(0, at.milliseconds(since: worker.now())) + 1)
        worker.loop.scheduleTask(in: delay) {
            let (prober, service) = bound.value
            prober.advance(place, service) { $0.probeIsDue(now: prober.worker.now()) }
        }
    }

    private func probe(_ place: BackendPlace, _ service: ServiceRuntime) {
        probe(service, place.backend) { isUp in
            self.advance(place, service) { state in
                isUp ? state.probeSucceeded() : state.probeFailed(now: self.worker.now())
            }
        }
    }

    private func markUp(_ place: BackendPlace, _ service: ServiceRuntime) {
        guard service.description.health.markUp(place.backend) else { return }
        worker.logger.notice("A backend can be reached again.", metadata: service.metadata(of: place.backend))
        evidence?.changed(place)
    }

    private func advance(
        _ place: BackendPlace, _ service: ServiceRuntime, _ event: (inout BackendHealth) -> BackendHealth.Action
    ) {
        guard !isStopped, var state = states[place] else { return }
        let action = event(&state)
        states[place] = state
        perform(action, place, service)
    }
}

@available(*, unavailable)
extension HealthProber: Sendable {}

extension ServiceRuntime {
    /// What a log line on one of its backends says.
    func metadata(of backend: Int) -> Logger.Metadata {
        ["service": "\(description.name)", "backend": "\(pools[backend].backend.name)"]
    }
}
