import Affinity
import Store

/// A connection of a replica to a server of the store: two links that deliver in order, or not at all.
final class SimulatedConnection {
    enum Kind: Hashable, Sendable {
        case subscriber
        case data(loop: Int)
    }

    /// A command that waits for its reply.
    struct Pending {
        enum Purpose {
            case operation(StorePurpose, StoreOperation)
            case beat
            case probe
            case writingProbe
            /// A page of keys.
            case scan
            case announce
        }

        let token: Int
        let purpose: Purpose
        let sentAt: Moment
        let stamp: OperationStamp
        /// The waiting request has already received a timeout.
        var isLate = false
    }

    let id: Int
    let kind: Kind
    let primary: Int
    let replica: SimulatedReplica
    let life: Int
    let server: SimulatedServer
    /// The server's life when the connection was made: a server that has restarted since does not know the connection.
    let serverLife: Int
    let openedAt: Moment

    var isOpen = true
    var isOpenAtServer = true
    /// Nothing is delivered any more, and neither end notices.
    var isDead = false
    var isSubscribed = false
    var identity: ServerIdentity?
    var isServing = false
    var delay: Moment = 0
    var delayedUntil: Moment = 0
    var lastUp: Moment = 0
    var lastDown: Moment = 0
    /// The replica is paused until then and reads nothing.
    var heldUntil: Moment = 0
    var pending: [Pending] = []
    var breaker: StoreBreaker
    /// Whether a timer watches for the server's silence.
    var isWatched = false

    init(
        id: Int, kind: Kind, primary: Int, replica: SimulatedReplica, server: SimulatedServer, openedAt: Moment,
        breaker: StoreBreaker
    ) {
        self.id = id
        self.kind = kind
        self.primary = primary
        self.replica = replica
        life = replica.life
        self.server = server
        serverLife = server.life
        self.openedAt = openedAt
        self.breaker = breaker
    }

    var isCurrent: Bool { life == replica.life && isOpen }
}
