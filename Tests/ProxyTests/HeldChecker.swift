import Affinity
import NIOCore

@testable import Proxy

/// Checks whose results the test gives.
final class HeldChecker: HealthChecking {
    private(set) var count = 0
    private(set) var freshCount = 0
    private(set) var connectTimeout: TimeAmount?
    private(set) var isStopped = false
    private var pending: ((CheckResult) -> Void)?

    var isPending: Bool { pending != nil }

    func check(isFresh: Bool, connectTimeout: TimeAmount, _ then: @escaping (CheckResult) -> Void) {
        count += 1
        self.connectTimeout = connectTimeout
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
