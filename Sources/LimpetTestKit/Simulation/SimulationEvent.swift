import Affinity

/// Microseconds since a simulation began.
typealias Moment = Int64

/// The kinds of events.
enum SimulationEvent {
    case choice(Int)
    case atServer(SimulatedConnection, StoreCommand)
    case atReplica(SimulatedConnection, StoreReply)
    case timer(SimulatedReplica, life: Int, ReplicaTimer)
    case replication(SimulatedServer, ReplicationStep, generation: Int)
    case serverTimer(SimulatedServer, ServerTimer, generation: Int)
    case sentinel(SentinelEvent, primary: Int)
    case promotion(primary: Int, failure: Int)
    case response(client: Int, session: Fingerprint, Hint)
}

/// A command that a replica sends over a connection.
enum StoreCommand {
    case hello
    case subscribe
    case send(StoreOperation, token: Int)
    case beat(UInt64, from: ServerIdentity.RunID, token: Int)
    case probe(token: Int)
    /// A write that decides whether the server is trusted again.
    case writingProbe(token: Int)
    case publishFleet([UInt8])
    case scan(cursor: UInt64, token: Int)
    /// With `written`, these records are announced instead of what the store holds.
    case announce([Fingerprint], hasLeftOut: Bool, instance: UInt64, written: [Announcement.Item]?, token: Int)
    /// An operator's drop.
    case drop(StoreOperation, token: Int)
}

/// A reply of a server.
enum StoreReply {
    case hello(ServerIdentity, isPrimary: Bool)
    case subscribed
    case result(token: Int, StoreResult, AnswerOrigin)
    case done(token: Int, refused: WriteRefusal?)
    case received(Fingerprint, Binding)
    case echo(UInt64, from: ServerIdentity.RunID, era: UInt64, at: Moment)
    case fleet([UInt8])
    case page([Fingerprint], next: UInt64, token: Int)
    case announced(Announcement)
    case closed
}

extension StoreCommand {
    /// Whether only standby sends it.
    var isStandby: Bool {
        switch self {
        case .scan, .announce: true
        case .send(let operation, _): operation.isStandby
        case .hello, .subscribe, .beat, .probe, .writingProbe, .publishFleet, .drop: false
        }
    }
}

extension StoreReply {
    var isStandby: Bool {
        switch self {
        case .page, .announced: true
        case .hello, .subscribed, .result, .done, .received, .echo, .fleet, .closed: false
        }
    }
}

extension StoreOperation {
    var isRead: Bool {
        if case .read = self { true } else { false }
    }

    fileprivate var isStandby: Bool {
        switch self {
        case .read, .offer: true
        case .create, .restore, .rebind, .touch, .drop: false
        }
    }
}

/// Where and when a result was created.
struct AnswerOrigin {
    let server: SimulatedServer
    let at: Moment
    var refused: WriteRefusal?
    /// Whether the server was the current primary.
    let isAuthoritative: Bool
}

enum WriteRefusal {
    case readOnly, noReplicas, outOfMemory
}

/// A step that a primary replicates, in order.
enum ReplicationStep {
    case put(Fingerprint, ModelRecord?, End)
    case expire(Fingerprint, Moment)
    case era(UInt64?)
    case flush
    case received(Fingerprint, Binding)
    case echo(UInt64, from: ServerIdentity.RunID, era: UInt64, replica: Int, life: Int)
    case fleet([UInt8])
    case announced(Announcement)

    /// How the previous record ended.
    enum End { case superseded, silent }
}

enum ServerTimer {
    /// Checks whether a replica has acknowledged recently, and saves the data.
    case cron
    /// The replica acknowledges what it has received.
    case acknowledge
    case restarted
    /// The end of an outage.
    case back(isEmpty: Bool)
    case reachable
}

/// The timers of a replica.
enum ReplicaTimer {
    case beat
    case fleetTick
    case fleetTickSoon
    case offers(loop: Int)
    case connect(SimulatedConnection.Kind, primary: Int)
    case connectTimeout(SimulatedConnection)
    case deadline(SimulatedConnection, token: Int)
    case patience(SimulatedConnection, token: Int)
    case breakerProbe(SimulatedConnection)
    case silence(SimulatedConnection)
    case sentinelTick(primary: Int)
    case deliver(StorePurpose, StoreOperation, StoreResult, OperationStamp, AnswerOrigin?)
    case arrive(client: Int, loop: Int, forged: Bool)
    case backendFailed(request: Int)
    case backendAnswered(request: Int)
    case probeBackend(Int)
    case backendProbed(Int, isReachable: Bool)
    case checkBackend(Int)
    case backendChecked(Int, isGood: Bool)
    case hearLate(Fingerprint, Binding)
    case standbyTick(primary: Int)
    case scanFailed(primary: Int)
    case announced(primary: Int, isPublished: Bool)
}

/// The purpose of an operation.
enum StorePurpose {
    case request(Int)
    /// A touch of the event loop `loop` (number 1), or an operation that followed from its result.
    case aside(loop: Int, number: Int)
    /// The same of an offer.
    case offer(loop: Int, number: Int)
    case drop
    /// What standby asks: the operation that it asked for.
    case standby(StoreOperation)

    var isBackground: Bool {
        switch self {
        case .offer, .standby: true
        case .request, .aside, .drop: false
        }
    }
}
