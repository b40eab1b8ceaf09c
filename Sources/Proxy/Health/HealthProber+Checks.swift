import Affinity
import Logging
import NIOCore

/// Health checks by request.
extension HealthProber {
    /// Begins, continues or ends the checks of a backend. With the same settings they continue. With other settings
    /// they begin anew, and what is known of the backend stays until they find otherwise.
    ///
    /// - Parameter isNew: the backend was added while the replica runs.
    func configureCheck(of target: HealthTarget, _ service: Service, isNew: Bool) {
        let wanted = service.healthCheck
        guard wanted != target.healthCheck else { return }
        target.checker?.stop()
        target.healthCheck = wanted
        guard let wanted else {
            endChecks(of: target)
            return answerByConnection(target)
        }
        if isNew { target.state.setNewcomer(true) }
        let isDown = target.state.has(.failing) || target.state.has(.erring)
        let standing: BackendCheck.Standing = target.state.isNewcomer ? .unproven : isDown ? .down : .up
        target.check = BackendCheck(pace: wanted.pace, standing: standing)
        target.checker = makeChecker(target.backend, wanted)
        if let action = target.check?.begin(now: loop.now()) { perform(action, target) }
        // The fleet waits for the result of the check that was replaced.
        if target.answers.contains(.check) { wantCheck(of: target) }
    }

    /// The fleet waits for a check that there is no more.
    private func answerByConnection(_ target: HealthTarget) {
        guard target.answers.remove(.check) != nil else { return }
        target.answers.insert(.connection)
        perform(target.probe.wanted(), target)
    }

    /// Nothing would find out any more that the backend works: it is given the benefit of the doubt.
    private func endChecks(of target: HealthTarget) {
        (target.check, target.checker) = (nil, nil)
        target.state.setNewcomer(false)
        if target.state.has(.erring) { waitForWindow(target) }
        guard target.state.has(.failing) else { return }
        end(.failing, target)
        loop.logger.notice("A backend is no longer checked; it counts as healthy.", metadata: target.metadata)
        judge?.changed(target.state)
    }

    /// The fleet's health monitor requests a check.
    func wantCheck(of target: HealthTarget) {
        guard let action = target.check?.wanted(now: loop.now()) else { return }
        target.answers.insert(.check)
        perform(action, target, isFresh: true)
    }

    private func perform(_ action: BackendCheck.Action, _ target: HealthTarget, isFresh: Bool = false) {
        switch action {
        case .doNothing: break
        case .wait(let until):
            target.checkTimer.take()?.cancel()
            target.checkTimer = wait(until, target.state) { [self] target in
                target.checkTimer = nil
                if let action = target.check?.isDue(now: loop.now()) { perform(action, target) }
            }
        case .check:
            guard let checker = target.checker else { return }
            checker.check(isFresh: isFresh, connectTimeout: target.connectTimeout) { [self, weak checker] result in
                // A checker that was replaced has nothing more to say.
                guard let checker, target.checker === checker else { return }
                ended(result, target)
            }
        }
    }

    private func ended(_ result: CheckResult, _ target: HealthTarget) {
        target.state.checkCounts.count(result.failure, now: loop.now())
        target.lastFailure = result.failure
        let wasUnreachable = result.hasConnected && target.isCheckedAtItsPort ? becameReachable(target) : false
        let isGood = result.failure == nil
        guard
            let outcome = target.check?.ended(isGood: isGood, random: loop.randomSeed(), now: loop.now())
        else { return }
        let hasChanged =
            switch outcome.verdict {
            case .up: becameHealthy(target)
            case .down: becameFailing(target)
            case nil: false
            }
        perform(outcome.action, target)
        if outcome.isWanted, judge != nil {
            answered(.check, isGood: isGood, target)
        } else if wasUnreachable || hasChanged {
            judge?.changed(target.state)
        }
    }

    /// The fleet finds the backend down after a check that failed here: it counts at once, whatever `fall` says.
    func checkCounts(against target: HealthTarget) {
        guard target.check?.standing != .down,
            let action = target.check?.failed(byFleet: true, random: loop.randomSeed(), now: loop.now())
        else { return }
        _ = becameFailing(target)
        perform(action, target)
    }

    /// Requests fail: only good checks bring the backend back.
    func requestsCount(against target: HealthTarget) {
        guard let action = target.check?.failed(byFleet: false, random: loop.randomSeed(), now: loop.now()) else {
            return
        }
        perform(action, target)
    }

    // MARK: Verdicts

    /// Returns whether the state changed.
    private func becameFailing(_ target: HealthTarget) -> Bool {
        let reason = target.lastFailure ?? .unknown
        target.state.begin(.failing, by: reason)
        loop.logger.warning(
            "A backend is failing.", metadata: target.metadata(reason: FailingReason.text(ofCheck: reason)))
        return true
    }

    /// Returns whether the state changed.
    private func becameHealthy(_ target: HealthTarget) -> Bool {
        if target.state.isNewcomer {
            target.state.setRisen(at: loop.now())
            target.state.setNewcomer(false)
        }
        guard target.state.has(.failing) || target.state.has(.erring) else { return false }
        end(.failing, target)
        end(.erring, target)
        loop.logger.notice("A backend is healthy again.", metadata: target.metadata)
        return true
    }
}
