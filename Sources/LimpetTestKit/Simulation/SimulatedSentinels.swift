import Affinity

/// What the Sentinels of one primary know, and what befalls them.
struct SimulatedSentinels {
    struct Sentinel {
        /// The primary as it knows it, and the number of the fail-over.
        var named: SimulatedServer
        var epoch: UInt64
        /// What it says instead.
        var lie: (server: SimulatedServer, epoch: UInt64)?
        /// Numbers its lies, so that only the last one ends.
        var lies = 0
        /// The replicas that do not reach it.
        var hiddenFrom: Set<Int> = []
    }

    var all: [Sentinel]
    /// The number of the last fail-over.
    var epoch: UInt64 = 1
    /// The primary before the last fail-over.
    var previous: SimulatedServer?
    /// All servers: the primary and its followers.
    var servers: [SimulatedServer]
    /// A primary of somebody else.
    let stranger: SimulatedServer
    /// Since when a majority names the primary; `.max` if none does.
    var agreedSince: Moment = 0
    /// By replica: since when a majority that it reaches does.
    var agreedSinceFor: [Moment]

    init(primary: SimulatedServer, followers: [SimulatedServer], stranger: SimulatedServer, count: Int, replicas: Int) {
        all = Array(repeating: Sentinel(named: primary, epoch: 1), count: count)
        servers = [primary] + followers
        self.stranger = stranger
        agreedSinceFor = Array(repeating: 0, count: replicas)
    }

    var majority: Int { all.count / 2 + 1 }
}

/// What a server knows of the servers that follow it, or of the one that it follows.
struct ReplicationLinks {
    /// The server that it follows. Nil for a primary.
    var master: SimulatedServer?
    /// When each follower was last heard. A follower that was heard to leave is missing.
    var heardAt: [Int: Moment] = [:]
    /// The followers whose words wait in its sockets while it is frozen.
    var waiting: Set<Int> = []
    /// When what was sent to each follower arrives there.
    var arrivesAt: [Int: Moment] = [:]
    /// Other followers.
    var spares = 0
    /// It reaches neither the Sentinels nor its followers, except its companions.
    var isCutOff = false
    var companions: Set<Int> = []
    /// When it was last frozen, and when it woke.
    var frozenAt: Moment = -1
    var wokeAt: Moment = -1
    /// Whether its sockets receive while it is frozen: a process is, not a machine.
    var buffersWhileFrozen = true
    /// When it was replaced.
    var replacedAt: Moment?

    func reaches(_ follower: SimulatedServer) -> Bool { !isCutOff || companions.contains(follower.id) }
}

/// What happens between Sentinels, servers and replicas.
enum SentinelEvent {
    case asked(SimulatedReplica, life: Int, sentinel: Int, at: Instant)
    case answered(SimulatedReplica, life: Int, sentinel: Int, SentinelTopology.Answer, askedAt: Instant)
    /// A Sentinel told a replica of a fail-over, or can be asked again.
    case hinted(SimulatedReplica, life: Int)
    case learns(sentinel: Int, SimulatedServer, epoch: UInt64)
    case honest(sentinel: Int, lie: Int)
    case reachable(Set<Int>, from: Set<Int>)
    /// The Sentinels find the primary down.
    case isDown(failure: Int)
    case promotes(failure: Int)
    /// A server is told to follow the primary.
    case follows(SimulatedServer)
    case spares(SimulatedServer)
    case wakes(SimulatedServer, life: Int)
    /// A server notices that a follower has left.
    case left(SimulatedServer, life: Int, follower: Int)
    case rejoined(SimulatedServer)
    case restarted(SimulatedServer, life: Int, isEmpty: Bool)
}
