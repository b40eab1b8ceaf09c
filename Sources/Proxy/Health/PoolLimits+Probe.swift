import NIOCore

extension PoolLimits {
    /// A probe that found nothing out for so long would hold up the fleet, and a backend that came back.
    static let probeTimeoutMax = TimeAmount.seconds(5)

    /// For one attempt to connect, of a probe or a health check: as long as a request waits. With less, a backend that
    /// is slow to accept would never be found up again; with more, it would be found up, and fail the next request.
    var probeTimeout: TimeAmount { min(connectTimeout ?? Self.probeTimeoutMax, Self.probeTimeoutMax) }
}
