import Affinity
import Logging
import NIOCore
import NIOPosix
import Networking

/// Finds out about backends: probes those that could not be reached, with one TCP connection per second to each, and
/// checks those whose service has a health check. There is one prober per replica, confined to one event loop: the
/// other loops report to it, so that the rate of probes and checks does not depend on the number of loops.
///
/// A loop marks a backend unreachable itself, before it decides again. Only the prober marks it up.
package final class HealthProber {
    /// Calls `then` with why no connection could be opened in time, or with nil once one was, in this turn of the loop
    /// or a later one.
    typealias Connect = (Backend, _ timeout: TimeAmount, _ then: @escaping (FailingReason?) -> Void) -> Void
    typealias MakeChecker = (Backend, HealthCheck) -> any HealthChecking

    let loop: LoopContext
    /// The fleet's health monitor; nil without a fleet.
    weak var judge: (any HealthObserver)?
    private let connect: Connect
    let makeChecker: MakeChecker
    /// By the identity of their states.
    private var targets: [ObjectIdentifier: HealthTarget] = [:]

    /// All backends of the snapshot count as up, until something is found out.
    package convenience init(loop: LoopContext, snapshot: Snapshot) {
        self.init(loop: loop, snapshot: snapshot) {
            Self.connect($0, on: loop, timeout: $1, $2)
        } makeChecker: {
            BackendChecker(loop: loop, backend: $0, check: $1)
        }
    }

    init(loop: LoopContext, snapshot: Snapshot, connect: @escaping Connect, makeChecker: @escaping MakeChecker) {
        self.loop = loop
        self.connect = connect
        self.makeChecker = makeChecker
        adopt(snapshot, isStart: true)
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
    /// still probed and checked; removed ones are not. A new backend with a health check gets no new sessions before
    /// its first good check.
    package func reconfigured(_ snapshot: Snapshot) {
        adopt(snapshot, isStart: false)
    }

    private func adopt(_ snapshot: Snapshot, isStart: Bool) {
        let old = targets
        targets = [:]
        for service in snapshot.services {
            for (backend, state) in zip(service.backends, service.health.backends) {
                let id = ObjectIdentifier(state)
                let known = old[id]
                let target = known ?? HealthTarget(service, backend, state)
                targets[id] = target
                target.connectTimeout = service.limits.pool.probeTimeout
                let isNew = known == nil && !isStart
                if isNew { state.setRisen(at: loop.now()) }
                configureCheck(of: target, service, isNew: isNew)
                configureRequests(of: target, service)
                noteContainer(of: target, isUnhealthy: service.unhealthyBackends.contains(backend.name))
            }
        }
        for (id, target) in old where targets[id] == nil { target.stop() }
    }

    package func stop() {
        for target in targets.values { target.stop() }
        targets = [:]
    }

    /// The fleet's health monitor requests a probe of the backend and receives the result: whether a connection can be
    /// made, and whether a check of the backend is good, if it has one.
    func probe(_ state: BackendState) {
        guard let target = target(state) else { return }
        (target.answers, target.badAnswers) = ([], [])
        if target.probesByConnecting {
            target.answers.insert(.connection)
            perform(target.probe.wanted(), target)
        }
        wantCheck(of: target)
    }

    /// Nil if the backend is no longer configured.
    func target(_ state: BackendState) -> HealthTarget? { targets[ObjectIdentifier(state)] }

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
        case .requestFailed(let reason):
            requestFailed(reason, target)
        }
    }

    /// Clears the cause. A backend that is up again by that starts slowly, where that is configured.
    func end(_ cause: BackendState.DownCause, _ target: HealthTarget) {
        // Before it can be chosen.
        if target.state.isDown(only: cause) { target.state.setRisen(at: loop.now()) }
        target.state.end(cause)
    }

    /// Returns whether the state changed.
    func becameUnreachable(_ target: HealthTarget) -> Bool {
        target.state.begin(.unreachable)
        let action = target.probe.failed(now: loop.now())
        guard action != .doNothing else { return false }
        let metadata = target.probeFailure.map { target.metadata(reason: $0.text) } ?? target.metadata
        loop.logger.warning("A backend is unreachable.", metadata: metadata)
        perform(action, target)
        return true
    }

    /// Returns whether the backend was unreachable.
    @discardableResult
    func becameReachable(_ target: HealthTarget) -> Bool {
        let wasUnreachable = target.probe.isUnreachable
        target.probe.succeeded()
        end(.unreachable, target)
        if wasUnreachable { loop.logger.notice("A backend is reachable again.", metadata: target.metadata) }
        return wasUnreachable
    }

    // MARK: Probes

    func perform(_ action: BackendProbe.Action, _ target: HealthTarget) {
        switch action {
        case .doNothing: break
        case .wait(let until): wait(until, target.state) { [self] in perform($0.probe.isDue(now: loop.now()), $0) }
        case .connect:
            connect(target.backend, target.connectTimeout) { [self] in
                probed(target.state, failure: $0)
            }
        }
    }

    /// Timers end together at multiples of this, so that the checks of many backends wake the loop once.
    private static let timerGrid: UInt64 = 10_000_000

    /// Calls `body` at that time, or up to 10 ms later, if the backend is still configured.
    @discardableResult
    func wait(
        _ until: Instant, _ state: BackendState, _ body: @escaping (HealthTarget) -> Void
    ) -> Scheduled<Void> {
        let delay = TimeAmount.milliseconds(max(0, until.milliseconds(since: loop.now())) + 1)
        let slot = (NIODeadline.now() + delay).uptimeNanoseconds / Self.timerGrid + 1
        let deadline = NIODeadline.uptimeNanoseconds(slot * Self.timerGrid)
        return loop.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [self] in
            if let target = target(state) { body(target) }
        }
    }

    /// If the probe was requested, the monitor receives its result, and no separate change event.
    private func probed(_ state: BackendState, failure: FailingReason?) {
        guard let target = target(state) else { return }
        target.probeFailure = failure
        let isReachable = failure == nil
        let wasUnreachable = isReachable ? becameReachable(target) : false
        let outcome = target.probe.ended(isReachable: isReachable, now: loop.now())
        perform(outcome.action, target)
        if outcome.isWanted, judge != nil {
            answered(.connection, isGood: isReachable, target)
        } else if wasUnreachable {
            judge?.changed(state)
        }
    }

    /// A part of what the monitor requested is known. It is told when all of it is.
    func answered(_ part: HealthTarget.Answers, isGood: Bool, _ target: HealthTarget) {
        guard target.answers.contains(part) else { return }
        target.answers.remove(part)
        if !isGood { target.badAnswers.insert(part) }
        guard target.answers.isEmpty, let judge else { return }
        let bad = target.badAnswers
        target.badAnswers = []
        // A successful connection does not end a failing health check.
        let isDown = judge.probed(target.state, isUp: bad.isEmpty && target.state.isUp)
        guard isDown else { return }
        if bad.contains(.connection) { _ = becameUnreachable(target) }
        if bad.contains(.check) { checkCounts(against: target) }
    }

    private static func connect(
        _ backend: Backend, on loop: LoopContext, timeout: TimeAmount, _ then: @escaping (FailingReason?) -> Void
    ) {
        ClientBootstrap(group: loop.eventLoop)
            .connectTimeout(timeout)
            .connect(host: backend.host, port: backend.port, on: loop.eventLoop, by: loop.resolver)
            .securing(backend, on: loop, within: timeout)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let opened):
                    opened.channel.close(promise: nil)
                    then(nil)
                case .failure(let error): then(FailingReason(connecting: error))
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
