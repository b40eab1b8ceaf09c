import Logging
import Store

extension FailoverGuard {
    /// What an operator must know. Nil if the guard is complete.
    var warning: Logger.Message? {
        switch self {
        case .off:
            "Redis accepts writes without replicas (min-replicas-to-write is 0); the bound on staleness does not hold across a failover."
        case .tooSmall:
            "Redis accepts writes without some of its replicas (min-replicas-to-write is below their number); the bound on staleness does not hold across a failover."
        case .unknown:
            "It is unknown whether Redis accepts writes without some of its replicas (the user may not run CONFIG GET); the bound on staleness may not hold across a failover."
        case .complete: nil
        }
    }
}
