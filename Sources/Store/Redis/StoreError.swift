import NIOCore
import NIOPosix
import Networking
import TLS

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
    /// The server was silent, and has not accepted a write for two leases since it may be asked for one.
    case noProof
    /// The server was silent and accepts writes, but no majority of the Sentinels has named it since.
    case unconfirmed
    case late
    case notRedis
    case speaksTLS
    /// The connection could not be made one with TLS.
    case tls(ClientTLSError)
    /// The server sent this alert about the certificate that it was shown.
    case certificateRefused(alert: Int)
    /// A certificate has expired, or is not valid yet: an authority's in `tls.ca`, or it may be one.
    case authorityExpired(isCertain: Bool)
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
    case unknownToSentinel(name: String)
    /// No Sentinel has named a primary since the start.
    case unnamed
    /// A server that holds data was given as a Sentinel.
    case notSentinel
    /// A data connection leads to a different server than the coherence channel.
    case otherServer
    /// The same server has another replication id: a first replica follows it, it was promoted, or it has other data.
    case otherHistory
    /// Heartbeats do not come back.
    case unproven
    /// No heartbeat comes back because there is no connection to send one.
    case unprovable
    case wrongPassword
    case passwordNeeded
    case noPermission(MissingRight)
    /// The server takes no more connections.
    case full
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
            "the server closed the connection at once; it may be a TLS port, which needs rediss://, or have reached "
                + "maxclients"
        case .silent: "a command got no reply in time, so the connection was closed"
        case .serverSilent: "the server was silent for a whole lease, so all connections to it were closed"
        case .noProof: "the server was silent, and has accepted no write since"
        case .unconfirmed: "the server was silent, and waits for a majority of the Sentinels to name it"
        case .late: "replies are too late"
        case .notRedis: "the server does not speak the Redis protocol"
        case .speaksTLS: "the server speaks TLS: write rediss:// in place of redis://"
        case .tls(let error): error.remedy
        case .certificateRefused(let alert): Self.refusal(alert)
        case .authorityExpired(isCertain: true):
            "the authority in tls.ca has expired, or is not valid yet: name a valid one, or set the clock"
        case .authorityExpired(isCertain: false):
            "the server's certificate, or an authority in tls.ca, has expired, or is not valid yet: renew it, or set the clock"
        case .sentinel:
            "the server is a Redis Sentinel, which holds no data; set store.redis.sentinel.masterName to ask it for the primary"
        case .cluster:
            "the server is a Redis Cluster node, which is not supported yet; use a standalone Redis"
        case .tooOld(let version): "the server is Redis \(version), but Redis 7.0 or later, or Valkey, is needed"
        case .noIdentity: "INFO reports no run_id and master_replid; is this a Redis server?"
        case .replica: "the server is a replica, which accepts no writes; endpoints must name the primary, or Sentinels"
        case .replaced: "Sentinels name another primary"
        case .unknownToSentinel(let name):
            "the Sentinel watches no primary of the name \(name): check store.redis.sentinel.masterName"
        case .unnamed: "no Sentinel has named a primary"
        case .notSentinel:
            "the server is not a Sentinel; store.redis.endpoints must name Sentinels where sentinel.masterName is set"
        case .otherServer: "two connections reached different servers"
        case .otherHistory: "the server's replication id has changed"
        case .unproven: "heartbeats are not coming back"
        case .unprovable: "no heartbeat can be sent"
        case .wrongPassword: "the username or password is wrong"
        case .passwordNeeded: "the server requires a password"
        case .noPermission(.command(let name)): "the user has no permission to run \(name.uppercased()): grant +\(name)"
        case .noPermission(let right): "the user has no permission for \(right)"
        case .full:
            "the server has reached its maxclients; raise it, or see in CLIENT LIST whose connections it has"
        case .noDatabase(let database): "database \(database) does not exist"
        case .refuses("AUTH", let code): "the server rejects AUTH with \(code); it may have no password set"
        case .refuses(let command, let code): "the server rejects \(command) with \(code)"
        case .misbehaves(let reason): reason
        }
    }
}

extension StoreError {
    /// The server answered `command` with an error that begins like this text.
    init(refusing command: String, _ text: UnsafeRawBufferPointer) {
        let code = RedisErrorCode(text)
        switch code {
        case .noAuthentication: self = .passwordNeeded
        case .wrongPassword: self = .wrongPassword
        case .noPermission: self = .noPermission(MissingRight(text) ?? .command(command.lowercased()))
        case _ where Self.isFull(text): self = .full
        default: self = .refuses(command: command, code)
        }
    }

    /// Whether the server refuses the connection, whatever the command: it has too many.
    static func isFull(_ text: UnsafeRawBufferPointer) -> Bool { text.starts(with: "ERR max number of clients".utf8) }

    /// The server was reached, and refuses what is asked of it.
    var isRefusal: Bool {
        switch self {
        case .noPermission, .full, .refuses, .misbehaves: true
        default: false
        }
    }

    static let surplusReply = StoreError.misbehaves("the server sent a reply without a command")

    /// The first byte of a TLS alert, which a TLS port sends in reply to our commands (RFC 8446, section 5.1).
    static let alertOfTLS: UInt8 = 0x15

    init(connecting error: any Error) {
        if let error = error as? ClientTLSError {
            self = .tls(error)
        } else if let error = error as? ChannelError, case .connectTimeout = error {
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

extension StoreError {
    /// What an alert says about the certificate in `tls.cert` (RFC 8446, section 6.2).
    fileprivate static func refusal(_ alert: Int) -> String {
        let cause: String
        switch alert {
        case 40: return "the server accepts nothing that is offered, or not the certificate in tls.cert (alert 40)"
        case 43: cause = "it is of a kind that it does not support"
        case 44: cause = "it was revoked"
        case 45: cause = "it has expired"
        case 48: cause = "its authority is unknown there; Redis names those that it knows in tls-ca-cert-file"
        case 116: cause = "it got none"
        default: cause = "it is not valid yet, or not made for a client"
        }
        return "the server refused the certificate in tls.cert: \(cause) (alert \(alert))"
    }
}

extension ClientTLSError {
    /// What was seen of a store's server, and what to change.
    fileprivate var remedy: String {
        switch self {
        case .notTLS:
            "the server does not speak TLS: write redis:// in place of rediss://, or name the server's TLS port"
        case .ended: "\(detail); it may be a port without TLS, which needs redis://"
        case .expired: "the server's certificate has expired, or is not valid yet: renew it, or set the clock"
        case .unknownAuthority: "the server's certificate is of an unknown authority: name the authority in tls.ca"
        case .otherName: "the server's certificate is for another name: set tls.serverName to one of its names"
        case .otherURI, .unreadable, .invalid: "the server's certificate is refused: \(detail)"
        case .alert(70): "the server speaks neither TLS 1.2 nor 1.3: allow one of them in its tls-protocols"
        case .alert(let number) where isOfOwnCertificate:
            "the server demands a certificate that it accepts: set tls.cert and tls.key (alert \(number))"
        case .alert(40):
            "the server accepts nothing that is offered, or demands a certificate: check its tls-ciphers, or set tls.cert "
                + "and tls.key (alert 40)"
        case .timedOut: "\(detail); a port without TLS does not answer it, and needs redis://"
        case .alert, .failed, .prohibited, .library: detail
        }
    }
}
