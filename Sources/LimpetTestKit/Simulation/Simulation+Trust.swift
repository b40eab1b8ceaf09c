import Affinity
import Store

/// Whether the servers of the store are trusted: the process around `ServerTrust`.
extension Simulation {
    /// A process that was not running reads once more before it takes a server for silent.
    private static let lastRead: Moment = 5000
    private static let writingProbeInterval: Moment = 250_000

    var hasTrust: Bool { scenario.sentinelStore != nil }

    private func change(_ connection: SimulatedConnection, _ body: (inout ServerTrust) -> Void) {
        guard let key = connection.replica.view.key(connection) else { return }
        connection.replica.view.watched[key].map { watched in
            var watched = watched
            body(&watched.trust)
            connection.replica.view.watched[key] = watched
        }
    }

    /// A server has answered the first commands of a connection.
    func greeted(_ connection: SimulatedConnection) {
        guard hasTrust, let key = connection.replica.view.key(connection) else { return }
        let replica = connection.replica
        let instant = replica.instant(now)
        if replica.view.watched[key] == nil {
            let trust = ServerTrust(
                leaseMilliseconds: scenario.settings.leaseMilliseconds, isNamedBySentinels: has(.namedSince))
            replica.view.watched[key] = .init(trust: trust, heardAt: instant, server: connection.server)
        }
        change(connection) { $0.connected(now: instant) }
        heard(over: connection)
    }

    func heard(over connection: SimulatedConnection) {
        guard hasTrust, let key = connection.replica.view.key(connection) else { return }
        connection.replica.view.watched[key]?.heardAt = connection.replica.instant(now)
    }

    // MARK: Silence

    /// A command was sent: its reply is owed.
    func watch(_ connection: SimulatedConnection) {
        guard hasTrust, !connection.isWatched else { return }
        connection.isWatched = true
        schedule(
            .silence(connection), of: connection.replica,
            after: scenario.settings.leaseMilliseconds * 1000 + Self.lastRead)
    }

    func silenceIsDue(_ connection: SimulatedConnection) {
        connection.isWatched = false
        let replica = connection.replica
        guard connection.isCurrent, let owed = connection.pending.first, let key = replica.view.key(connection),
            let watched = replica.view.watched[key]
        else { return }
        let begins = ServerTrust.silenceBegins(
            owedSince: owed.stamp.sentAt, heardAt: watched.heardAt,
            leaseMilliseconds: scenario.settings.leaseMilliseconds)
        let left = (begins.nanoseconds - replica.instant(now).nanoseconds) / 1000 + Self.lastRead
        if left > 0 {
            connection.isWatched = true
            return schedule(.silence(connection), of: replica, after: left)
        }
        check(key, owedSince: owed.stamp.sentAt, at: replica)
    }

    /// Checks what was owed to connections that were given up.
    func checkSilence(of replica: SimulatedReplica) {
        let keys = replica.view.watched.sorted { $0.value.server.id < $1.value.server.id }.map(\.key)
        for key in keys { check(key, owedSince: nil, at: replica) }
    }

    private func check(_ key: SentinelView.Key, owedSince: Instant?, at replica: SimulatedReplica) {
        guard var watched = replica.view.watched[key] else { return }
        let isSilent = watched.trust.check(
            owedSince: owedSince, heardAt: watched.heardAt, now: replica.instant(now))
        replica.view.watched[key] = watched
        guard isSilent || watched.trust.state == .silent && owedSince != nil else { return }
        if isSilent {
            coverage.count("servers silent")
            note("replica \(replica.index): redis \(watched.server.id) is silent")
        }
        for connection in replica.connections(to: watched.server.primary)
        where connection.isOpen && connection.isServing && replica.view.key(connection) == key {
            abandon(connection, "the server is silent")
        }
    }

    /// A connection is given up while it is owed a reply.
    func gaveUp(_ connection: SimulatedConnection) {
        guard hasTrust, let owed = connection.pending.first else { return }
        let instant = connection.replica.instant(now)
        change(connection) { $0.gaveUp(owedSince: owed.stamp.sentAt, now: instant) }
    }

    /// A connection is given up before its first commands were answered. The server at that address owes the reply.
    func greetingIsOverdue(_ connection: SimulatedConnection) {
        guard hasTrust, has(.greetingIsOwed), connection.identity == nil else { return }
        let replica = connection.replica
        for (key, watched) in replica.view.watched where watched.server === connection.server {
            guard key.runID == watched.server.identity.runID, key.kind == nil || connection.kind != .subscriber,
                key.kind == nil || key.kind == connection.kind
            else {
                continue
            }
            replica.view.watched[key]?.trust.gaveUp(
                owedSince: replica.instant(connection.openedAt), now: replica.instant(now))
        }
    }

    // MARK: Settling

    /// Asks for a write if the connection's server must prove itself. False if it is trusted.
    func probeByWriting(over connection: SimulatedConnection) -> Bool {
        guard let watched = connection.replica.view.watched(connection), !watched.trust.mayBeAsked else { return false }
        let instant = connection.replica.instant(now)
        if has(.settle), let settlesAt = watched.trust.settlesAt, instant < settlesAt {
            let left = (settlesAt.nanoseconds - instant.nanoseconds) / 1000 + 1
            schedule(.breakerProbe(connection), of: connection.replica, after: left)
            return true
        }
        let token = enqueue(.writingProbe, over: connection)
        send(.writingProbe(token: token), over: connection)
        return true
    }

    func probedByWriting(
        _ pending: SimulatedConnection.Pending, _ refused: WriteRefusal?, over connection: SimulatedConnection
    ) {
        let isWell = refused == nil && now - pending.sentAt <= scenario.settings.budgetMilliseconds * 1000
        if isWell { change(connection) { $0.accepted(writeSentAt: late(pending.stamp.sentAt, $0)) } }
        if refused == .readOnly { return leaveReplica(connection) }
        if isWell, connection.replica.view.trusts(connection) {
            coverage.count("servers trusted again")
            note("replica \(connection.replica.index): redis \(connection.server.id) is trusted again")
            _ = connection.breaker.probeAnswered(isWell: true, now: connection.replica.instant(now))
            return
        }
        _ = connection.breaker.probeAnswered(isWell: false, now: connection.replica.instant(now))
        schedule(.breakerProbe(connection), of: connection.replica, after: Self.writingProbeInterval)
    }

    /// A majority of the Sentinels named this address.
    func named(_ address: ServerAddress, askedAt: Instant, _ primary: Int, at replica: SimulatedReplica) {
        for (key, watched) in replica.view.watched
        where watched.server.primary == primary && self.address(of: watched.server) == address {
            replica.view.watched[key]?.trust.named(askedAt: late(askedAt, watched.trust))
        }
    }

    /// Without `settle`, what was sent since the first reply is as good as what is sent later.
    private func late(_ sentAt: Instant, _ trust: ServerTrust) -> Instant {
        guard !has(.settle), let settlesAt = trust.settlesAt,
            sentAt >= settlesAt.advanced(byMilliseconds: -ServerTrust.settlingMilliseconds)
        else { return sentAt }
        return max(sentAt, settlesAt)
    }
}
