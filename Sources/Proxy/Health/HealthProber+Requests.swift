import Affinity
import Logging
import NIOCore

/// Passive health checks, and the health of containers.
extension HealthProber {
    /// Begins, continues or ends the counting of a backend's failed requests.
    func configureRequests(of target: HealthTarget, _ service: Service) {
        guard service.passiveHealthCheck != target.requestFailures?.settings else { return }
        target.requestFailures = service.passiveHealthCheck.map(RequestFailures.init)
        // Where there is a health check, it brings the backend back.
        guard target.requestFailures == nil, target.state.has(.erring), target.check == nil else { return }
        endErring(target)
    }

    func requestFailed(_ reason: FailingReason, _ target: HealthTarget) {
        guard !target.state.has(.erring), target.requestFailures?.failed(reason, now: loop.now()) == true else {
            return
        }
        target.state.begin(.erring, by: reason)
        loop.logger.warning(
            "A backend is failing.", metadata: target.metadata(reason: FailingReason.text(ofRequests: reason)))
        if target.check != nil {
            requestsCount(against: target)
        } else {
            waitForWindow(target)
        }
        judge?.changed(target.state)
    }

    /// Without a health check, nothing but time can tell that the backend works again.
    func waitForWindow(_ target: HealthTarget) {
        let end = loop.now().advanced(byMilliseconds: target.requestFailures?.settings.windowMilliseconds ?? 0)
        target.erringUntil = end
        target.erringTimer.take()?.cancel()
        target.erringTimer = wait(end, target.state) { [self] target in
            target.erringTimer = nil
            guard target.check == nil, let end = target.erringUntil, loop.now() >= end else { return }
            endErring(target)
        }
    }

    /// It is given the benefit of the doubt.
    private func endErring(_ target: HealthTarget) {
        target.erringUntil = nil
        guard target.state.has(.erring) else { return }
        end(.erring, target)
        loop.logger.notice("A backend is tried again after its requests failed.", metadata: target.metadata)
        judge?.changed(target.state)
    }

    // MARK: Containers

    func noteContainer(of target: HealthTarget, isUnhealthy: Bool) {
        guard target.state.has(.unhealthy) != isUnhealthy else { return }
        if isUnhealthy {
            target.state.begin(.unhealthy)
            loop.logger.warning(
                "A backend is failing.", metadata: target.metadata(reason: FailingReason.container.text))
        } else {
            end(.unhealthy, target)
            loop.logger.notice("A backend is healthy again.", metadata: target.metadata)
        }
        judge?.changed(target.state)
    }
}
