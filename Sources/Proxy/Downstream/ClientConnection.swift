import NIOCore

/// A client connection as its worker sees it. The worker only stops it.
protocol ClientConnection: DeadlineHolder {
    /// Accepts no more requests. An idle connection has until `last` to receive a request that is already on its way.
    func stop(by last: NIODeadline)

    /// The time for what is under way is over: ends a tunnel in the way of its protocol, by `last`. An exchange is left
    /// to ``cut()``.
    func goAway(by last: NIODeadline)

    /// Closes at once, even during an exchange.
    func cut()
}
