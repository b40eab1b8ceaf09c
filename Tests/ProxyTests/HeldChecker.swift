import Affinity

@testable import Proxy

/// Checks whose results the test gives.
final class HeldChecker: HealthChecking {
    private(set) var count = 0
    private(set) var freshCount = 0
    private(set) var isStopped = false
    private var pending: ((CheckResult) -> Void)?

    var isPending: Bool { pending != nil }

    func check(isFresh: Bool, _ then: @escaping (CheckResult) -> Void) {
        count += 1
        if isFresh { freshCount += 1 }
        pending = then
    }

    func stop() { isStopped = true }

    func end(_ failure: FailingReason?, hasConnected: Bool = false) {
        let then = pending
        pending = nil
        then?(CheckResult(failure: failure, hasConnected: hasConnected))
    }
}
