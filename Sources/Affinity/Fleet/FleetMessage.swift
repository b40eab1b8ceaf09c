/// What a replica says to the others on the fleet's channel: who it is, how it is configured, and what it thinks of
/// backends that somebody cannot reach. Each message says all of it, and replaces the sender's earlier ones.
package struct FleetMessage: Equatable, Sendable {
    /// Further verdicts are left out of what is sent, and refused in what is heard.
    package static let verdictsMax = 256
    package static let answersMax = 8
    /// Bytes. Longer ones are refused.
    package static let sizeMax = 16 * 1024
    /// Milliseconds. How seldom a replica may say that it is there.
    package static let intervalMaxMilliseconds: Int64 = 60_000

    package var sender: Sender
    /// Grows with each message of a sender: one that is not above the last one heard is late, and ignored.
    package var sequence: UInt64
    package var lease: Lease
    /// Milliseconds until the sender's next message, if nothing changes.
    package var intervalMilliseconds: Int64
    package var verdicts: [Verdict]

    /// A replica, as it introduces itself.
    package struct Sender: Equatable, Sendable {
        package static let nameMax = 64

        /// A random number of the process.
        package let instance: UInt64
        /// The fingerprint of what must be configured alike everywhere.
        package internal(set) var configuration: UInt64
        /// At most 64 letters, digits and `._:+@/-`: for people.
        package let name: String
        package let version: String

        /// - Parameters:
        ///   - name: cut to what a name may be; characters that it may not have become `_`.
        ///   - version: of the program, likewise.
        package init(instance: UInt64, configuration: UInt64, name: String, version: String) {
            self.instance = instance
            self.configuration = configuration
            self.name = FleetText.cleaned(name)
            self.version = FleetText.cleaned(version)
        }
    }

    /// How far the sender's coherence channel is.
    package enum Lease: UInt8, Sendable {
        case live = 0x4C
        case doubt = 0x44
        case proving = 0x50
        case lost = 0x58
        /// It stops: from here on it is not there.
        case left = 0x47
    }

    /// An announcement against one backend, by the replica that made it and its number there.
    package struct Round: Hashable, Sendable {
        package let instance: UInt64
        package let number: UInt32

        package init(instance: UInt64, number: UInt32) {
            self.instance = instance
            self.number = number
        }
    }

    /// What the sender thinks of one backend.
    package struct Verdict: Equatable, Sendable {
        package enum State: UInt8, Sendable {
            case up = 0x75
            case down = 0x64
            /// Not known yet: a probe, or the second try of a connection, is under way.
            case unsure = 0x70
        }

        /// The sender's own announcement.
        package struct Announcement: Equatable, Sendable {
            package let number: UInt32
            /// It rests on announcements that the verdict answers: who answers those need not answer this one.
            package let isJoined: Bool

            package init(number: UInt32, isJoined: Bool) {
                self.number = number
                self.isJoined = isJoined
            }
        }

        package let service: ServiceHash
        package let backend: BackendHash
        package let state: State
        /// The sender has evidence of its own against the backend.
        package let announcement: Announcement?
        /// The announcements after which it probed; where it is unsure, also those for which it still probes.
        package let answers: [Round]

        package init(
            service: ServiceHash, backend: BackendHash, state: State, announcement: Announcement?, answers: [Round]
        ) {
            self.service = service
            self.backend = backend
            self.state = state
            self.announcement = announcement
            self.answers = answers
        }
    }

    package init(sender: Sender, sequence: UInt64, lease: Lease, intervalMilliseconds: Int64, verdicts: [Verdict]) {
        self.sender = sender
        self.sequence = sequence
        self.lease = lease
        self.intervalMilliseconds = intervalMilliseconds
        self.verdicts = verdicts
    }
}
