import NIOCore

/// A client connection as its worker sees it. The worker only stops it.
protocol ClientConnection: DeadlineHolder {
    /// Accepts no more requests. An idle connection has until `last` to receive a request that is already on its way.
    func stop(by last: NIODeadline)

    /// Closes at once, even during an exchange.
    func cut()
}
