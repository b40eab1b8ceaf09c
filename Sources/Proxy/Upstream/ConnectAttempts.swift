/// The attempts to connect to one backend on one event loop.
///
/// An attempt that nobody waits for any more goes on, and the next request that needs a connection inherits it. So
/// there are never more attempts at once than requests have waited at once, however often clients ask and give up.
struct ConnectAttempts {
    /// The last one that was begun of those that offer HTTP/2, as long as it is under way.
    private var latest: ConnectAttempt?
    /// Those that nobody waits for.
    private var abandoned: [ConnectAttempt] = []

    /// Lets a request wait for an attempt under way. Returns false if it needs one of its own.
    ///
    /// - Parameters:
    ///   - isShared: a connection has room for several requests.
    ///   - mayInherit: whether it may be an attempt that others have given up.
    mutating func join(_ wait: ConnectWait, onlyHTTP1: Bool, isShared: Bool, mayInherit: Bool) -> Bool {
        if isShared, !onlyHTTP1, let latest, latest.isAwaited {
            latest.join(wait)
            return true
        }
        guard mayInherit, let index = abandoned.lastIndex(where: { $0.onlyHTTP1 == onlyHTTP1 }) else { return false }
        abandoned.remove(at: index).join(wait, isHeir: true)
        return true
    }

    mutating func begin(for wait: ConnectWait, onlyHTTP1: Bool) -> ConnectAttempt {
        let attempt = ConnectAttempt(onlyHTTP1: onlyHTTP1)
        attempt.join(wait)
        if !onlyHTTP1 { latest = attempt }
        return attempt
    }

    mutating func leave(_ wait: ConnectWait) {
        guard let attempt = wait.attempt, attempt.isAwaited else { return }
        attempt.leave(wait)
        if !attempt.isAwaited { abandoned.append(attempt) }
    }

    mutating func ended(_ attempt: ConnectAttempt) {
        if latest === attempt { latest = nil }
        abandoned.removeAll { $0 === attempt }
    }
}
