/// Which other replicas are there, as heard on the fleet's channel.
package struct FleetRoster: Sendable {
    /// Further replicas are not listed, and have no vote here.
    package static let capacity = 1024
    /// Milliseconds between two messages of a replica, in a fleet of at most 20.
    package static let intervalMinMilliseconds: Int64 = 1000
    /// A replica is forgotten when it has missed this many messages.
    private static let missesMax: Int64 = 3

    /// Another replica, and when it was last heard.
    package struct Member: Sendable {
        package internal(set) var sender: FleetMessage.Sender
        package internal(set) var lease: FleetMessage.Lease
        /// How much it knows of the sessions that it has not served. Nil for a replica of an earlier release.
        package internal(set) var standby: StandbyStatus?
        package internal(set) var receivedAt: Instant
        /// Backends that it reports as down.
        package internal(set) var down: [FleetBackend]
        /// Whether it was heard since the channel was last subscribed to.
        var isCurrent: Bool
        var sequence: UInt64
        var intervalMilliseconds: Int64

        func isSilent(_ now: Instant) -> Bool {
            now >= receivedAt.advanced(byMilliseconds: FleetRoster.silence(intervalMilliseconds))
        }
    }

    package private(set) var members: [UInt64: Member] = [:]
    /// This replica's own configuration fingerprint.
    var configuration: UInt64

    package init(configuration: UInt64) {
        self.configuration = configuration
    }

    /// Whether every replica heard is configured like this one.
    package var configurationsAgree: Bool { members.values.allSatisfy { $0.sender.configuration == configuration } }

    /// Replicas that are not configured like this one.
    package var differing: [Member] { members.values.filter { $0.sender.configuration != configuration } }

    /// Milliseconds between two messages of a replica that hears this roster. Every replica hears every other: beyond
    /// 20 replicas, each sends less often, so that the fleet's traffic grows with its size and not with the square.
    package var intervalMilliseconds: Int64 { Self.intervalMilliseconds(replicas: members.count + 1) }

    /// Milliseconds between two messages of a replica in a fleet of this size.
    package static func intervalMilliseconds(replicas: Int) -> Int64 {
        max(intervalMinMilliseconds, Int64(replicas) * intervalMinMilliseconds / 20)
    }

    /// Milliseconds after which a replica with this interval counts as gone.
    package static func silence(_ intervalMilliseconds: Int64) -> Int64 {
        missesMax * max(intervalMilliseconds, intervalMinMilliseconds)
    }

    /// Returns false if the message adds nothing: it is late, or the roster is full.
    mutating func received(_ message: FleetMessage, now: Instant) -> Bool {
        let instance = message.sender.instance
        if let known = members[instance] {
            guard message.sequence > known.sequence else { return false }
        } else {
            guard members.count < Self.capacity else { return false }
        }
        members[instance] = Member(
            sender: message.sender, lease: message.lease, standby: StandbyStatus.parted(message.sender.version).status,
            receivedAt: now,
            down: message.verdicts.filter { $0.state == .down }.map {
                FleetBackend(service: $0.service, backend: $0.backend)
            },
            isCurrent: true, sequence: message.sequence, intervalMilliseconds: message.intervalMilliseconds)
        return true
    }

    /// The sender of the message has stopped. Returns false if it is not listed, or has sent a later message.
    mutating func left(_ message: FleetMessage) -> Bool {
        let instance = message.sender.instance
        guard let known = members[instance], message.sequence > known.sequence else { return false }
        members[instance] = nil
        return true
    }

    /// Forgets the replicas that have been silent for too long, and returns them.
    mutating func forgetSilent(now: Instant) -> [UInt64] {
        let gone = members.filter { $0.value.isSilent(now) }.map(\.key)
        for instance in gone { members[instance] = nil }
        return gone
    }

    /// Messages may have been missed: known replicas are not current until they are heard again.
    mutating func beginAnew() {
        for instance in members.keys { members[instance]?.isCurrent = false }
    }

    /// This replica itself did not listen: silence counts only from now on.
    mutating func forgiveSilence(now: Instant) {
        for instance in members.keys { members[instance]?.receivedAt = now }
    }
}
