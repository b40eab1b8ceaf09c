import Synchronization

/// The sessions whose records this replica has written and not announced yet, by primary. All its event loops add to
/// it; the ``Standby`` of each primary takes from it.
package final class WrittenSessions: Sendable {
    /// Further sessions are left out.
    package static let waitingMax = 10_000

    private struct Waiting {
        var sessions = BoundedQueue<Fingerprint>(capacity: waitingMax)
        var hasLeftOut = false
        /// When the oldest of the waiting sessions was added.
        var since: Instant?
    }

    private let primaries: PrimaryMap
    private let waiting: Mutex<[Waiting]>

    package init(primaries: PrimaryMap = PrimaryMap(count: 1)) {
        self.primaries = primaries
        waiting = Mutex(Array(repeating: Waiting(), count: primaries.count))
    }

    package func add(_ fingerprint: Fingerprint, now: Instant) {
        let primary = primaries.primary(of: fingerprint)
        waiting.withLock {
            if !$0[primary].sessions.append(fingerprint) { $0[primary].hasLeftOut = true }
            if $0[primary].since == nil { $0[primary].since = now }
        }
    }

    /// Whether enough sessions wait to fill a message.
    func fillsMessage(primary: Int) -> Bool {
        waiting.withLock { $0[primary].sessions.count >= Announcement.recordsMax }
    }

    /// The next message says that something was written that will not be announced.
    func leaveOut(primary: Int, now: Instant) {
        waiting.withLock {
            $0[primary].hasLeftOut = true
            if $0[primary].since == nil { $0[primary].since = now }
        }
    }

    /// Forgets what waits: nobody will announce it.
    func removeAll(primary: Int) {
        waiting.withLock { $0[primary] = Waiting() }
    }

    /// The next sessions to announce, if they fill a message or the oldest has waited for long enough.
    func next(primary: Int, delayMilliseconds: Int64, now: Instant) -> (sessions: [Fingerprint], hasLeftOut: Bool)? {
        waiting.withLock { all in
            guard let since = all[primary].since,
                all[primary].sessions.count >= Announcement.recordsMax
                    || now >= since.advanced(byMilliseconds: delayMilliseconds)
            else { return nil }
            var sessions: [Fingerprint] = []
            while sessions.count < Announcement.recordsMax, let next = all[primary].sessions.popFirst() {
                sessions.append(next)
            }
            let hasLeftOut = all[primary].hasLeftOut
            all[primary].hasLeftOut = false
            all[primary].since = all[primary].sessions.isEmpty ? nil : now
            return (sessions, hasLeftOut)
        }
    }
}
