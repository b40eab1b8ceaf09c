import Affinity
import NIOCore
import NIOPosix

/// Carries out what ``BackendHealth`` decides for the backends that this event loop found failing: marks them in the
/// replica's health table, and probes them by TCP connect until they answer.
///
/// Each loop probes what it found itself; whichever sees the backend answer first marks it up for all.
final class HealthProber {
    private let worker: Worker
    private var states: [Place: BackendHealth] = [:]
    private var isStopped = false

    private struct Place: Hashable {
        let service: Int
        let backend: Int
    }

    init(worker: Worker) {
        self.worker = worker
    }

    /// A connection could not be made, twice.
    func backendFailed(_ service: ServiceRuntime, _ backend: Int) {
        // Another loop may have marked it up while this one still probes; the failure is newer.
        service.description.health.markDown(backend)
        let place = Place(service: service.index, backend: backend)
        let action = states[place, default: BackendHealth()].connectionFailed(now: worker.now())
        perform(action, place, service)
    }

    func stop() {
        isStopped = true
        states = [:]
    }

    private func perform(_ action: BackendHealth.Action, _ place: Place, _ service: ServiceRuntime) {
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
            service.description.health.markUp(place.backend)
            states[place] = nil
        }
    }

    private func schedule(_ at: Instant, _ place: Place, _ service: ServiceRuntime) {
        let bound = NIOLoopBound((self, service), eventLoop: worker.loop)
        let delay = TimeAmount.milliseconds(max(0, at.milliseconds(since: worker.now())) + 1)
        worker.loop.scheduleTask(in: delay) {
            let (prober, service) = bound.value
            prober.advance(place, service) { $0.probeIsDue(now: prober.worker.now()) }
        }
    }

    private func probe(_ place: Place, _ service: ServiceRuntime) {
        let backend = service.pools[place.backend].backend
        let bound = NIOLoopBound((self, service), eventLoop: worker.loop)
        ClientBootstrap(group: worker.loop)
            .connectTimeout(worker.limits.connectTimeout)
            .connect(host: backend.host, port: backend.port)
            .flatMap { $0.close() }
            .whenComplete { result in
                let (prober, service) = bound.value
                prober.advance(place, service) { state in
                    switch result {
                    case .success: state.probeSucceeded()
                    case .failure: state.probeFailed(now: prober.worker.now())
                    }
                }
            }
    }

    private func advance(
        _ place: Place, _ service: ServiceRuntime, _ event: (inout BackendHealth) -> BackendHealth.Action
    ) {
        guard !isStopped, var state = states[place] else { return }
        let action = event(&state)
        states[place] = state
        perform(action, place, service)
    }
}

@available(*, unavailable)
extension HealthProber: Sendable {}
