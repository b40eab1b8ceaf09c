/// What a replica tells the others on the fleet's channel: its identity, its configuration, and its verdicts on
/// backends that some replica cannot reach. Each message contains all of this, and replaces the sender's earlier ones.
package struct FleetMessage: Equatable, Sendable {
    /// More verdicts than this are left out when sending; a received message with more is refused.
    package static let verdictsMax = 256
    package static let answersMax = 8
    /// In bytes. A longer message is refused.
    package static let sizeMax = 16 * 1024
    /// In milliseconds. The longest interval between messages that a replica may state.
    package static let intervalMaxMilliseconds: Int64 = 60_000

    package var sender: Sender
    /// Grows with each message of a sender. A message whose number is not above the last one heard is late, and
    /// ignored.
    package var sequence: UInt64
    package var lease: Lease
    /// Milliseconds until the sender's next message, if nothing changes.
    package var intervalMilliseconds: Int64
    package var verdicts: [Verdict]

    /// A replica, as it identifies itself.
    package struct Sender: Equatable, Sendable {
        package static let nameMax = 64

        /// A random number of the process.
        package let instance: UInt64
        /// The fingerprint of what must be configured alike everywhere.
        package internal(set) var configuration: UInt64
        /// At most 64 letters, digits and `._:+@/-`, for people to read.
        package let name: String
        /// The program's version, with its ``StandbyStatus`` behind it.
        package internal(set) var version: String

        /// - Parameters:
        ///   - name: cut to the maximum length; characters that are not allowed become `_`.
        ///   - version: the program's version, adapted in the same way.
        package init(instance: UInt64, configuration: UInt64, name: String, version: String) {
            self.instance = instance
            self.configuration = configuration
            self.name = FleetText.cleaned(name)
            self.version = FleetText.cleaned(version)
        }
    }

    /// The state of the sender's coherence channel.
    package enum Lease: UInt8, Sendable {
        case live = 0x4C
        case doubt = 0x44
        case proving = 0x50
        case lost = 0x58
        /// The sender stops: from here on it is gone.
        case left = 0x47
    }

    /// An alarm against one backend: the replica that made it, and its number there.
    package struct Round: Hashable, Sendable {
        package let instance: UInt64
        package let number: UInt32

        package init(instance: UInt64, number: UInt32) {
            self.instance = instance
            self.number = number
        }
    }

    /// What the sender reports about one backend.
    package struct Verdict: Equatable, Sendable {
        package enum State: UInt8, Sendable {
            case up = 0x75
            case down = 0x64
            /// Not known yet: a probe, or the second try of a connection, is in progress.
            case unsure = 0x70
        }

        /// The sender's own alarm.
        package struct Alarm: Equatable, Sendable {
            package let number: UInt32
            /// It rests on alarms that the verdict answers: a replica that answers those need not answer this
            /// one.
            package let isJoined: Bool

            package init(number: UInt32, isJoined: Bool) {
                self.number = number
                self.isJoined = isJoined
            }
        }

        package let service: ServiceHash
        package let backend: BackendHash
        package let state: State
        /// Present if the sender has evidence of its own against the backend.
        package let alarm: Alarm?
        /// The alarms after which the sender probed; if it is unsure, also those for which it is still probing.
        package let answers: [Round]

        package init(
            service: ServiceHash, backend: BackendHash, state: State, alarm: Alarm?, answers: [Round]
        ) {
            self.service = service
            self.backend = backend
            self.state = state
            self.alarm = alarm
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
