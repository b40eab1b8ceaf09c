import Affinity
import Proxy
import Routing

extension Retry {
    private static let attemptsMax = 100
    private static let intervals = Duration.zero...(.seconds(60))
    private static let timeouts = Duration.zero...(.seconds(86400))

    /// `retry`. Nil after an error that leaves nothing to do.
    init?(_ section: SettingSection) {
        section.check(known: TraefikKnownKeys.retry + ["budget"])
        Self.checkBodies(section)
        let statuses = section.statuses("status")
        let repeatsLost = section["disableRetryOnNetworkError"]?.bool() != true
        if !repeatsLost, section["status"] == nil {
            section.diagnostic(
                "leaves nothing to retry: name statuses, such as 502-504", key: "disableRetryOnNetworkError")
        }
        let interval = section["initialInterval"]?.duration(Self.intervals) ?? .zero
        let timeout = section["timeout"]?.duration(Self.timeouts) ?? .zero
        let budget = section["budget"]?.integer(1...100) ?? Self.budgetPercentDefault
        guard
            let attempts = section.required("attempts", "write how often a request is sent at most, such as 3")?
                .integer(1...Self.attemptsMax)
        else { return nil }
        self.init(
            attempts: attempts, statuses: statuses, repeatsLost: repeatsLost,
            initialIntervalMilliseconds: interval.wholeMilliseconds,
            // Traefik's 0 means no limit.
            timeoutMilliseconds: timeout == .zero ? nil : timeout.wholeMilliseconds, budgetPercent: budget)
    }

    private static func checkBodies(_ section: SettingSection) {
        if section["retryNonIdempotentMethod"]?.bool() == true {
            section.diagnostic(
                "must be false: a request that may change something is sent once", key: "retryNonIdempotentMethod")
        }
        section["maxRequestBodyBytes"]?.diagnostic(
            "is not supported: a request with a body is sent once. Remove it; the others are retried")
    }
}
