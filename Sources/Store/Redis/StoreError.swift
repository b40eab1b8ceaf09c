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
        case .unreachable(let reason): "no connection can be made: \(reason)"
        case .connectTimeout: "no connection was made in time"
        case .closed: "it closed the connection"
        case .closedInHandshake: "it closed the connection at once; this may be a TLS port, or it has too many clients"
        case .silent: "it left a command without an answer for too long, so the connection was closed"
        case .late: "its answers come too late"
        case .notRedis: "what listens there does not speak Redis's protocol"
        case .speaksTLS: "it speaks TLS, but the endpoint's URL says no TLS"
        case .sentinel: "this is a Sentinel, not a Redis that holds data"
        case .cluster:
            "it is a node of a Redis Cluster, which is not supported yet; use a standalone Redis"
        case .tooOld(let version): "it is Redis \(version), and 7.0 or later, or Valkey, is needed"
        case .noIdentity: "it gives no run_id and master_replid in INFO, as a Redis does"
        case .replica: "it is a replica, which takes no writes"
        case .otherServer: "two connections to it lead to different servers"
        case .otherHistory: "it has taken over another server's data"
        case .unproven: "heartbeats do not come back"
        case .wrongPassword: "user or password is wrong"
        case .passwordNeeded: "it wants a password"
        case .noPermission(let command): "its user may not run \(command)"
        case .noDatabase(let database): "it has no database \(database)"
        case .refuses("AUTH", let code): "it refuses AUTH with \(code); it may have no password set"
        case .refuses(let command, let code): "it refuses \(command) with \(code)"
        case .misbehaves(let reason): reason
        }
    }
}

extension StoreError {
    static let surplusReply = StoreError.misbehaves("it sent a reply to nothing that was asked")

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
