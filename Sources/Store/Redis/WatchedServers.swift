import Affinity
import Synchronization

/// The servers that a replica has reached as one primary of the store, by run id. One that fell silent is remembered
/// when another takes its place, so that it is not trusted when it is met again.
final class WatchedServers: Sendable {
    /// More are reached only if a server restarts again and again.
    private static let capacity = 8

    private let leaseMilliseconds: Int64
    private let link: ChannelServer
    /// The one reached last is the last.
    private let servers = Mutex<[WatchedServer]>([])

    /// - Parameter link: tells all connections that a server has fallen silent.
    init(leaseMilliseconds: Int64, link: ChannelServer) {
        self.leaseMilliseconds = leaseMilliseconds
        self.link = link
    }

    /// A server answered the first commands of a new connection.
    func connected(to runID: ServerIdentity.RunID, now: Instant) -> WatchedServer {
        let server = servers.withLock { servers in
            let known = servers.firstIndex { $0.runID == runID }.map { servers.remove(at: $0) }
            let server = known ?? WatchedServer(runID, leaseMilliseconds: leaseMilliseconds, now: now)
            if servers.count >= Self.capacity { servers.remove(at: servers.firstIndex(where: \.isTrusted) ?? 0) }
            servers.append(server)
            return server
        }
        server.connected(now: now)
        return server
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
