import NIOCore

/// A client connection, as its worker keeps it: told only of the stop.
protocol ClientConnection: DeadlineHolder {
    /// Takes no more requests; an idle connection has until `last` for one that is on its way.
    func stop(by last: NIODeadline)

    /// Closes at once, whatever is under way.
    func cut()
}
