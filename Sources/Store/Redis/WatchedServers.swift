import Affinity
import Synchronization

/// The servers that a replica has reached as one primary of the store, by run id. One that fell silent is remembered
/// when another takes its place, so that it is not trusted when it is met again.
final class WatchedServers: Sendable {
    /// More are reached only if a server restarts again and again.
    private static let capacity = 8

    private let leaseMilliseconds: Int64
    private let areNamedBySentinels: Bool
    private let link: ChannelServer
    /// The one reached last is the last.
    private let servers = Mutex<[WatchedServer]>([])

    /// - Parameters:
    ///   - areNamedBySentinels: whether Sentinels name the primary.
    ///   - link: tells all connections that a server has fallen silent.
    init(leaseMilliseconds: Int64, areNamedBySentinels: Bool, link: ChannelServer) {
        self.leaseMilliseconds = leaseMilliseconds
        self.areNamedBySentinels = areNamedBySentinels
        self.link = link
    }

    /// A server answered the first commands of a new connection to this address.
    func connected(
        to runID: ServerIdentity.RunID, at address: RedisEndpoint.Address, now: Instant
    ) -> WatchedServer {
        let server = servers.withLock { servers in
            let known = servers.firstIndex { $0.runID == runID }.map { servers.remove(at: $0) }
            let server =
                known
                ?? WatchedServer(
                    runID, at: address, leaseMilliseconds: leaseMilliseconds, isNamedBySentinels: areNamedBySentinels,
                    now: now)
            if servers.count >= Self.capacity { servers.remove(at: servers.firstIndex(where: \.isTrusted) ?? 0) }
            servers.append(server)
            return server
        }
        server.connected(at: address, now: now)
        return server
    }

    /// A majority of the Sentinels, asked at this time, named the server at this address as the primary.
    func named(_ address: RedisEndpoint.Address, askedAt: Instant) {
        for server in servers.withLock({ $0 }) { server.named(address, askedAt: askedAt) }
    }

    /// An attempt to connect to this address, made at `owedSince`, was never answered. What was reached there last owes
    /// the answer.
    func gaveUp(on address: RedisEndpoint.Address, owedSince: Instant, now: Instant) {
        for server in servers.withLock({ $0 }) where server.wasReached(at: address) {
            server.gaveUp(owedSince: owedSince, now: now)
        }
    }

    /// Checks whether a server that owes a reply since `owedSince` has fallen silent, and if so tells all connections.
    func check(_ server: WatchedServer, owedSince: Instant?, now: Instant) -> Bool {
        guard server.fallsSilent(owedSince: owedSince, now: now) else { return false }
        link.silence(of: server.runID)
        return true
    }

    /// Checks whether a server has fallen silent that owes replies only to connections that were given up.
    func check(now: Instant) {
        for server in servers.withLock({ $0 }) { _ = check(server, owedSince: nil, now: now) }
    }
}
