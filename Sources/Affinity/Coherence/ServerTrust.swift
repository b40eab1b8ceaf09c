/// Whether one server of the store, known by its run id, may be asked. Events in, state out.
///
/// A server that was frozen or cut off while another took its place answers what waits in its sockets when it wakes,
/// because it has not noticed yet that it lost its replicas. So a server that owes a reply, and is not heard on any
/// connection for a lease, is left on all of them, those that owe nothing too. When the same run id answers again, it
/// may be asked only after it has accepted a write that was sent long enough after its first reply. Where Sentinels
/// name the primary, a majority of them must have named it since, too: a server that needs no replicas accepts any
/// write.
///
/// A process that was not running for a second does not know what it missed, and what it reads first may be what the
/// server sent when it woke. Both may have stood on one machine. So it treats the server as one that was silent.
package struct ServerTrust: Sendable {
    package enum State: Hashable, Sendable {
        /// It may be asked.
        case trusted
        /// It owed a reply and was not heard for a lease. It has not answered since. → settling
        case silent
        /// It has answered again. A write, and where Sentinels name the primary, a question to them, that are sent at
        /// this time or later decide. → trusted, silent
        case settling(until: Instant)
    }

    /// Milliseconds from the first reply after a silence to the write. Redis counts the replicas that it can reach once
    /// a second; by then it refuses writes if it lacks some, even if it lost contact without being told: unless words
    /// of theirs still waited in its sockets, which count as new.
    package static let settlingMilliseconds: Int64 = 1100

    /// Milliseconds between two regular checks after which this process was not running. No guarded primary is replaced
    /// sooner than a second after its silence can be noticed.
    package static let pauseMilliseconds: Int64 = 1000

    package private(set) var state = State.trusted
    private let leaseMilliseconds: Int64
    private let isNamedBySentinels: Bool
    /// What has been found since it is settling.
    private var hasAccepted = false, isNamed = false
    /// The oldest reply owed on connections that were given up since the server was last heard, and when the last of
    /// them was given up.
    private var abandoned: (owedSince: Instant, at: Instant)?
    private var checkedAt: Instant?

    /// - Parameter isNamedBySentinels: whether Sentinels name the primary.
    package init(leaseMilliseconds: Int64, isNamedBySentinels: Bool = false) {
        self.leaseMilliseconds = leaseMilliseconds
        self.isNamedBySentinels = isNamedBySentinels
    }

    /// Whether operations and heartbeats may be sent to it, and its channel vouches for what it hears.
    package var mayBeAsked: Bool { state == .trusted }

    /// When the write that decides may be sent. Nil if none is needed, or nothing has been heard since the silence.
    package var settlesAt: Instant? {
        if case .settling(let until) = state { until } else { nil }
    }

    /// Whether it has accepted the write since it settled, and only the word of the Sentinels is missing.
    package var awaitsSentinels: Bool { settlesAt != nil && hasAccepted }

    /// Whether nothing that it answers now can restore trust: it has not answered since the silence, settles, or has
    /// accepted the write and only lacks the word of the Sentinels.
    package func isUndecided(now: Instant) -> Bool {
        switch state {
        case .trusted: false
        case .silent: true
        case .settling(let until): now < until || hasAccepted
        }
    }

    /// A connection was given up while the server owed it the reply to a command sent at `owedSince`. The server still
    /// owes it to this replica.
    package mutating func gaveUp(owedSince: Instant, now: Instant) {
        abandoned = (min(owedSince, abandoned?.owedSince ?? owedSince), now)
    }

    /// Checks whether the server has fallen silent. True once for each silence: all connections to it must be ended.
    ///
    /// - Parameters:
    ///   - owedSince: when the oldest command without a reply was sent on one of its connections. Nil in the regular
    ///     check, ten times a second.
    ///   - heardAt: when any of its connections last received anything.
    package mutating func check(owedSince: Instant?, heardAt: Instant, now: Instant) -> Bool {
        if let abandoned, heardAt > abandoned.at { self.abandoned = nil }
        if owedSince == nil, wasPaused(now: now), state != .silent { return fallSilent() }
        guard state != .silent, let oldest = [owedSince, abandoned?.owedSince].compactMap(\.self).min(),
            now >= Self.silenceBegins(owedSince: oldest, heardAt: heardAt, leaseMilliseconds: leaseMilliseconds)
        else { return false }
        return fallSilent()
    }

    private mutating func wasPaused(now: Instant) -> Bool {
        defer { checkedAt = now }
        return checkedAt.map { now.milliseconds(since: $0) >= Self.pauseMilliseconds } ?? false
    }

    private mutating func fallSilent() -> Bool {
        state = .silent
        abandoned = nil
        return true
    }

    /// When a server that owes a reply will have been silent for a lease, unless it is heard before.
    package static func silenceBegins(owedSince: Instant, heardAt: Instant, leaseMilliseconds: Int64) -> Instant {
        max(owedSince, heardAt).advanced(byMilliseconds: leaseMilliseconds)
    }

    /// The server answered the first commands of a new connection.
    package mutating func connected(now: Instant) {
        guard state == .silent else { return }
        state = .settling(until: now.advanced(byMilliseconds: Self.settlingMilliseconds))
        (hasAccepted, isNamed) = (false, false)
    }

    /// The server accepted, in time, a write that was sent at this time.
    package mutating func accepted(writeSentAt: Instant) {
        if let settlesAt, writeSentAt >= settlesAt { hasAccepted = true }
        settle()
    }

    /// A majority of the Sentinels, asked at this time, named it as the primary.
    package mutating func named(askedAt: Instant) {
        if let settlesAt, askedAt >= settlesAt { isNamed = true }
        settle()
    }

    private mutating func settle() {
        guard settlesAt != nil, hasAccepted, isNamed || !isNamedBySentinels else { return }
        state = .trusted
    }
}
