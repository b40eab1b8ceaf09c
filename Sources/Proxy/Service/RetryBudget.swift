import Affinity

/// Limits how many of a service's requests are sent again, so that backends that fail under load are not given more of
/// it. Pure; belongs to one event loop.
///
/// The requests and the retries of the current second and of the one before are compared. A few retries are always
/// allowed: a service with few requests could never retry otherwise.
struct RetryBudget {
    /// Retries that are allowed in one to two seconds, however few requests there are.
    static let retriesMin = 10
    private static let slotMilliseconds: Int64 = 1000

    private struct Slot {
        var requests = 0
        var retries = 0
    }

    private var began: Instant?
    private var current = Slot()
    private var previous = Slot()

    /// A request that may be sent again is sent for the first time.
    mutating func requestBegan(now: Instant) {
        turn(now)
        current.requests += 1
    }

    /// Takes one retry. False if the share of the requests that may be sent again has been.
    mutating func takeRetry(percent: Int, now: Instant) -> Bool {
        turn(now)
        let requests = current.requests + previous.requests
        guard current.retries + previous.retries < max(Self.retriesMin, requests * percent / 100) else { return false }
        current.retries += 1
        return true
    }

    private mutating func turn(_ now: Instant) {
        guard let began else {
            self.began = now
            return
        }
        let age = now.milliseconds(since: began)
        guard age >= Self.slotMilliseconds else { return }
        previous = age < 2 * Self.slotMilliseconds ? current : Slot()
        current = Slot()
        self.began = now
    }
}
