import NIOCore
import NIOPosix
import Networking

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Why the store cannot be used. Each cause is logged once, in plain words, until the store has been in use again.
enum StoreError: Error, Hashable, Sendable {
    /// No connection could be made.
    case unreachable(String)
    case connectTimeout
    case closed
    /// The server closed the connection before it answered the first commands.
    case closedInHandshake
    case silent
    /// The server owed a reply, and no connection of this replica heard it for a lease.
    case serverSilent
    case late
    case notRedis
    case speaksTLS
    case sentinel
    /// A node of a cluster, which holds the records of some sessions and refuses those of others.
    case cluster
    case tooOld(version: String)
    /// The server reports no identity, so it is impossible to tell whether two connections lead to the same server.
    case noIdentity
    case replica
    /// Sentinels name another server as the primary.
    case replaced
    /// A Sentinel watches no primary of the configured name.
    case unknownToSentinel
    /// A server that holds data was given as a Sentinel.
    case notSentinel
    /// A data connection leads to a different server than the coherence channel.
    case otherServer
    /// The same server has taken over other data.
    case otherHistory
    /// Heartbeats do not come back.
    case unproven
    case wrongPassword
    case passwordNeeded
    case noPermission(command: String)
    case noDatabase(Int)
    case refuses(command: String, RedisErrorCode)
    /// Replies that are malformed, unexpected, of the wrong type, or larger than allowed.
    case misbehaves(String)

    var description: String {
        switch self {
        case .unreachable(let reason): "cannot connect: \(reason)"
        case .connectTimeout: "connecting timed out"
        case .closed: "the server closed the connection"
        case .closedInHandshake:
            "the server closed the connection at once; it may be a TLS port, or have reached maxclients"
        case .silent: "a command got no reply in time, so the connection was closed"
        case .serverSilent: "the server was silent for a whole lease, so all connections to it were closed"
        case .late: "replies are too late"
        case .notRedis: "the server does not speak the Redis protocol"
        case .speaksTLS: "the server speaks TLS, but the endpoint's URL is without TLS"
        case .sentinel:
            "the server is a Redis Sentinel, which holds no data; set store.redis.sentinel.masterName to ask it for the primary"
        case .cluster:
            "the server is a Redis Cluster node, which is not supported yet; use a standalone Redis"
        case .tooOld(let version): "the server is Redis \(version), but Redis 7.0 or later, or Valkey, is needed"
        case .noIdentity: "INFO reports no run_id and master_replid; is this a Redis server?"
        case .replica: "the server is a replica, which accepts no writes"
        case .replaced: "Sentinels name another primary"
        case .unknownToSentinel: "the Sentinel watches no primary of the name in store.redis.sentinel.masterName"
        case .notSentinel:
            "the server is no Sentinel; store.redis.endpoints must name Sentinels where sentinel.masterName is set"
        case .otherServer: "two connections reached different servers"
        case .otherHistory: "the server has taken over another server's data"
        case .unproven: "heartbeats are not coming back"
        case .wrongPassword: "the username or password is wrong"
        case .passwordNeeded: "the server requires a password"
        case .noPermission(let command): "the user has no permission to run \(command)"
        case .noDatabase(let database): "database \(database) does not exist"
        case .refuses("AUTH", let code): "the server rejects AUTH with \(code); it may have no password set"
        case .refuses(let command, let code): "the server rejects \(command) with \(code)"
        case .misbehaves(let reason): reason
        }
    }
}

extension StoreError {
    static let surplusReply = StoreError.misbehaves("the server sent a reply without a command")

    /// The first byte of a TLS alert, which a TLS port sends in reply to our commands (RFC 8446, section 5.1).
    static let alertOfTLS: UInt8 = 0x15

    init(connecting error: any Error) {
        if let error = error as? ChannelError, case .connectTimeout = error {
            self = .connectTimeout
        } else if let failure = error as? NIOConnectionError {
            guard let last = failure.connectionErrors.last else {
                self = .unreachable("\(failure.nameError)")
                return
            }
            self.init(connecting: last.error)
        } else if let failure = error as? IOError {
            self = .unreachable(String(cString: strerror(failure.errnoCode)).lowercased())
        } else {
            self = .unreachable("\(error)")
        }
    }
}
