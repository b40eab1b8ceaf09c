import Affinity
import NIOCore

/// Sending a request again. Only a request with a safe method and no body gets here, because what a request changes
/// must not be changed twice, and one that the backend did nothing with.
extension Exchange {
    /// The connection was lost before the response: sends the request once more to the same backend, or as the router's
    /// retries allow.
    func sendAgain(_ cause: Cause) {
        guard let pool = choice.pool else { return failInvariant() }
        // A kept connection may end under a request: the backend did not fail, and the attempt does not count.
        guard steps.middlewares?.retry == nil || isOnKeptConnection else {
            if isRetried(after: .lost, cause) || isAnsweredElsewhere(cause) { return }
            return answerFailure(cause)
        }
        // A stream that was reset says nothing of its connection.
        let isConnectionLost = upstream?.isUsable != true
        leaveBackend(cause, of: choice.service, pool)
        choice.service?.counting.counters.retries.retries[cause.reason, default: 0] &+= 1
        if isConnectionLost { connectAnew(pool) } else { connect(pool) }
    }

    /// The backend did nothing with the request, because it is about to close the connection, or has too much to do on
    /// it.
    func sendUnprocessed(_ cause: Cause) {
        guard let pool = choice.pool else { return failInvariant() }
        leaveBackend(cause, of: choice.service, pool)
        choice.service?.counting.counters.retries.retries[cause.reason, default: 0] &+= 1
        connect(pool)
    }

    /// Whether the request is sent again, or to a fallback, instead of passing on a response with this status.
    func isAnsweredElsewhere(_ status: Int) -> Bool {
        choice.pool?.answered(status: status)
        return isAnsweredElsewhere(status, Cause(.responseStatus, "\(status)"))
    }

    /// Whether the request is sent again, or to a fallback, instead of answering that the backend failed.
    func isAnsweredElsewhere(_ cause: Cause) -> Bool {
        cause.reason.status.map { isAnsweredElsewhere($0, cause) } ?? false
    }

    func answerFailure(_ cause: Cause) {
        attemptFailed(cause)
        answer(LocalResponse(cause))
    }

    /// - Parameter cause: evaluated only if the request is sent again: most responses are passed on.
    private func isAnsweredElsewhere(_ status: Int, _ cause: @autoclosure () -> Cause) -> Bool {
        guard request.mayBeRepeated else { return false }
        return failsOver(status, cause()) || isRetried(after: .status(status), cause())
    }

    private func failsOver(_ status: Int, _ cause: @autoclosure () -> Cause) -> Bool {
        let (service, pool) = (choice.service, choice.pool)
        guard let step = choice.failOver(status: status) else { return false }
        leaveBackend(cause(), of: service, pool)
        chooseAgain()
        perform(step)
        return true
    }

    private func isRetried(after failure: RetryRun.Failure, _ cause: @autoclosure () -> Cause) -> Bool {
        guard let retry = steps.middlewares?.retry, let service = choice.service else { return false }
        let now = loop.now()
        guard retry.allows(after: failure, now: now) else { return false }
        guard service.retryBudget.takeRetry(percent: retry.settings.budgetPercent, now: now) else {
            service.counting.counters.retries.refused &+= 1
            return false
        }
        let cause = cause()
        leaveBackend(cause, of: service, choice.pool)
        chooseAgain()
        service.counting.counters.retries.retries[cause.reason, default: 0] &+= 1
        let pause = retry.nextAttempt(draw: loop.randomDraw())
        guard pause > 0 else {
            perform(choice.again())
            return true
        }
        loop.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(pause)) { [self] in
            if case .deciding = phase { perform(choice.again()) }
        }
        return true
    }

    /// The attempt has failed, and another one follows.
    private func leaveBackend(_ cause: Cause, of service: ServiceRuntime?, _ pool: BackendPool?) {
        attemptFailed(cause, at: pool, of: service)
        upstream?.end()
        upstream = nil
    }

    /// The next attempt may be at another backend.
    private func chooseAgain() {
        recording?.triedAgain()
        capacity.leave()
        phase = .deciding
    }
}
