import Affinity
import Logging
import NIOCore
import NIOPosix
import Networking

/// Probes backends that could not be reached, with one TCP connection per second to each of them. There is one prober
/// per replica, confined to one event loop: the other loops report to it, so that the probe rate of a dead backend does
/// not depend on the number of loops.
///
/// A loop marks a backend down itself, before it decides again. Only the prober marks it up.
package final class HealthProber {
    /// Reports whether a connection can be opened, in this turn of the loop or a later one.
    typealias Connect = (Backend, _ then: @escaping (_ isReachable: Bool) -> Void) -> Void

    private final class Target {
        let service: String
        let backend: Backend
        let state: BackendState
        var probe = BackendProbe()

        init(_ service: Service, _ backend: Backend, _ state: BackendState) {
            self.service = service.name
            self.backend = backend
            self.state = state
        }

        var metadata: Logger.Metadata { ["service": "\(service)", "backend": "\(backend.name)"] }
    }

    let loop: LoopContext
    /// The fleet's health monitor; nil without a fleet.
    weak var judge: (any HealthObserver)?
    private let connect: Connect
    /// By the identity of their states.
    private var targets: [ObjectIdentifier: Target] = [:]

    package convenience init(loop: LoopContext, snapshot: Snapshot) {
        self.init(loop: loop, snapshot: snapshot) { Self.connect($0, on: loop, $1) }
    }

    init(loop: LoopContext, snapshot: Snapshot, connect: @escaping Connect) {
        self.loop = loop
        self.connect = connect
        reconfigured(snapshot)
    }

    /// Where all event loops of the replica, including this one, report to.
    package var evidence: HealthEvidence {
        let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
        return HealthEvidence { report, state in
            guard !bound.eventLoop.inEventLoop else { return bound.value.take(report, state) }
            bound.eventLoop.execute { bound.value.take(report, state) }
        }
    }

    /// Applies a new configuration. Call it before any loop serves by that configuration. Backends that remain are
    /// still probed; removed ones are not.
    package func reconfigured(_ snapshot: Snapshot) {
        let old = targets
        targets = [:]
        for service in snapshot.services {
            for (backend, state) in zip(service.backends, service.health.backends) {
                let id = ObjectIdentifier(state)
                targets[id] = old[id] ?? Target(service, backend, state)
            }
        }
    }

    package func stop() {
        targets = [:]
    }

    /// The fleet's health monitor requests a probe of the backend and receives the result.
    func probe(_ state: BackendState) {
        guard let target = target(state) else { return }
        perform(target.probe.wanted(), target)
    }

    /// Nil if the backend is no longer configured.
    private func target(_ state: BackendState) -> Target? { targets[ObjectIdentifier(state)] }

    private func take(_ report: HealthEvidence.Report, _ state: BackendState) {
        guard let target = target(state) else { return }
        switch report {
        case .suspected:
            judge?.suspected(state)
        case .unreachable:
            if becameUnreachable(target) { judge?.changed(state) }
        case .reachable:
            becameReachable(target)
            judge?.changed(state)
        }
    }

    /// Returns whether the state changed.
    private func becameUnreachable(_ target: Target) -> Bool {
        target.state.begin(.unreachable)
        let action = target.probe.failed(now: loop.now())
        guard action != .doNothing else { return false }
        loop.logger.warning("A backend is unreachable.", metadata: target.metadata)
        perform(action, target)
        return true
    }

    private func becameReachable(_ target: Target) {
        let wasUnreachable = target.probe.isUnreachable
        target.probe.succeeded()
        target.state.end(.unreachable)
        if wasUnreachable { loop.logger.notice("A backend is reachable again.", metadata: target.metadata) }
    }

    // MARK: Probes

    private func perform(_ action: BackendProbe.Action, _ target: Target) {
        switch action {
        case .doNothing: break
        case .wait(let until): wait(until, target.state)
        case .connect: connect(target.backend) { [self] in probed(target.state, isReachable: $0) }
        }
    }

    private func wait(_ until: Instant, _ state: BackendState) {
        let delay = TimeAmount.milliseconds(max(0, until.milliseconds(since: loop.now())) + 1)
        loop.eventLoop.assumeIsolated().scheduleTask(in: delay) { [self] in
            guard let target = target(state) else { return }
            perform(target.probe.isDue(now: loop.now()), target)
        }
    }

    /// If the probe was requested, the monitor receives its result, and no separate change event.
    private func probed(_ state: BackendState, isReachable: Bool) {
        guard let target = target(state) else { return }
        let wasUnreachable = target.probe.isUnreachable
        if isReachable { becameReachable(target) }
        let outcome = target.probe.ended(isReachable: isReachable, now: loop.now())
        perform(outcome.action, target)
        guard outcome.isWanted, let judge else {
            if isReachable, wasUnreachable { judge?.changed(state) }
            return
        }
        // A successful connection does not end a failing health check.
        let isDown = judge.probed(state, isUp: isReachable && state.isUp)
        if !isReachable, isDown { _ = becameUnreachable(target) }
    }

    private static func connect(_ backend: Backend, on loop: LoopContext, _ then: @escaping (Bool) -> Void) {
        ClientBootstrap(group: loop.eventLoop)
            .connectTimeout(loop.limits.connectTimeout)
            .connect(host: backend.host, port: backend.port, on: loop.eventLoop, by: loop.resolver)
            .assumeIsolated()
            .whenComplete { result in
                if case .success(let channel) = result {
                    channel.close(promise: nil)
                    then(true)
                } else {
                    then(false)
                }
            }
    }
}

@available(*, unavailable)
extension HealthProber: Sendable {}

/// Judges the health of backends together with other replicas, on the prober's loop.
protocol HealthObserver: AnyObject {
    /// A connection attempt failed, and another is being made.
    func suspected(_ backend: BackendState)

    /// The backend's state is up or down now, or the backend is no longer suspected.
    func changed(_ backend: BackendState)

    /// A requested probe has ended. Returns whether the backend counts as down.
    func probed(_ backend: BackendState, isUp: Bool) -> Bool
}
