import Affinity

/// Where an event loop reports what its own connections say of backends: to the replica's ``HealthProber``, on
/// whichever loop that is.
package struct HealthEvidence: Sendable {
    enum Report: Sendable {
        /// A connection could not be made; it is tried once more.
        case suspected
        /// Two connections in a row could not be made. The loop has marked the backend down already.
        case unreachable
        /// A connection was made to a backend that was suspected or down.
        case reachable
    }

    private let take: @Sendable (Report, BackendState) -> Void

    init(_ take: @escaping @Sendable (Report, BackendState) -> Void) {
        self.take = take
    }

    func report(_ report: Report, _ backend: BackendState) { take(report, backend) }
}
