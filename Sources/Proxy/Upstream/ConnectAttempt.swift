import Affinity

/// One attempt to connect to a backend, and who waits for its connection.
final class ConnectAttempt {
    /// HTTP/2 is not offered.
    let onlyHTTP1: Bool
    private var waiters = WaitQueue<ConnectWait>()

    init(onlyHTTP1: Bool) {
        self.onlyHTTP1 = onlyHTTP1
    }

    var isAwaited: Bool { !waiters.isEmpty }

    /// - Parameter isHeir: others began the attempt, and have given it up.
    func join(_ wait: ConnectWait, isHeir: Bool = false) {
        wait.attempt = self
        wait.isHeir = isHeir
        wait.ticket = waiters.append(wait)
    }

    func leave(_ wait: ConnectWait) {
        if let ticket = wait.ticket.take() { waiters.remove(ticket) }
    }

    /// The attempt is over. Returns who has waited, the longest first.
    func end() -> [ConnectWait] {
        var all: [ConnectWait] = []
        while let wait = waiters.popFirst() {
            wait.ticket = nil
            all.append(wait)
        }
        return all
    }
}

/// A request that waits for a connection to a backend.
final class ConnectWait {
    /// Called once, unless the request has left.
    let taken: BackendPool.Taken
    private let pool: BackendPool
    private(set) var hasLeft = false
    fileprivate(set) var attempt: ConnectAttempt?
    fileprivate var ticket: WaitQueue<ConnectWait>.Ticket?
    /// A part of the attempt's time was over before.
    fileprivate(set) var isHeir = false

    init(for pool: BackendPool, _ taken: @escaping BackendPool.Taken) {
        self.pool = pool
        self.taken = taken
    }

    /// The request does not need the connection any more. Its client may have closed in the middle of what another
    /// request of the same attempt does.
    func leave() {
        hasLeft = true
        pool.stopWaiting(self)
    }
}

@available(*, unavailable)
extension ConnectAttempt: Sendable {}
@available(*, unavailable)
extension ConnectWait: Sendable {}
