import NIOCore

/// The time that a connection's request as a whole may take, whatever its pieces take, and how long the connection may
/// be used. Pure: the caller's clock is read only where a limit is set.
struct RequestBounds {
    /// By when the request must have arrived completely.
    private var readBy = NIODeadline.distantFuture
    /// By when the response must be complete.
    private var finishBy = NIODeadline.distantFuture
    private var persistsUntil = NIODeadline.distantFuture
    private var requests = 0

    mutating func connectionOpened(_ limits: EntryPointLimits, now: @autoclosure () -> NIODeadline) {
        if let most = limits.keepAliveMaxTime { persistsUntil = now() + most }
    }

    /// The first byte of a head arrived, or the connection was opened. Returns by when the head must be complete.
    mutating func headBegan(_ limits: EntryPointLimits, now: NIODeadline) -> NIODeadline {
        if let readTimeout = limits.readTimeout { readBy = now + readTimeout }
        return min(readBy, now + limits.headTimeout)
    }

    /// A head is complete. One that arrived at once had no beginning of its own.
    mutating func headEnded(hasBody: Bool, _ limits: EntryPointLimits, now: @autoclosure () -> NIODeadline) {
        requests &+= 1
        if hasBody, readBy == .distantFuture, let readTimeout = limits.readTimeout { readBy = now() + readTimeout }
        if let writeTimeout = limits.writeTimeout { finishBy = now() + writeTimeout }
    }

    /// The exchange must be over by then, too. Holds until ``exchangeEnded()``.
    mutating func bound(by deadline: NIODeadline) { finishBy = min(finishBy, deadline) }

    mutating func exchangeEnded() {
        readBy = .distantFuture
        finishBy = .distantFuture
    }

    /// Whether the connection has carried a request.
    var hasServed: Bool { requests > 0 }

    func earliest(_ deadline: NIODeadline, requestIsComplete: Bool) -> NIODeadline {
        min(deadline, finishBy, requestIsComplete ? .distantFuture : readBy)
    }

    /// Whether the response should be complete by now.
    func isResponseDue(_ now: NIODeadline) -> Bool { finishBy <= now }

    /// Whether the connection may carry another request after the current one.
    func mayPersist(_ limits: EntryPointLimits, now: @autoclosure () -> NIODeadline) -> Bool {
        if let most = limits.keepAliveMaxRequests, requests >= most { return false }
        return persistsUntil == .distantFuture || now() < persistsUntil
    }
}
