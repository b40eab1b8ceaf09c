import Foundation

/// A primary, the servers that follow it, and the Sentinels that watch them: each a real process on the loopback
/// interface. Everything here blocks.
package final class SentinelDeployment: Sendable {
    package struct Options: Sendable {
        package var followers = 1
        package var sentinels = 3
        /// `min-replicas-to-write` of every server; 0: a primary needs no followers.
        package var guardedBy = 0
        package var downAfterMilliseconds = 1000
        /// Further arguments of every server.
        package var serverSettings: [String] = []
        /// Further lines of every Sentinel's configuration.
        package var sentinelLines: [String] = []

        package init(followers: Int = 1, guardedBy: Int = 0) {
            (self.followers, self.guardedBy) = (followers, guardedBy)
        }
    }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    package static let primaryName = "limpet-test"

    /// The first one begins as the primary.
    package let servers: [RedisServer]
    package let sentinels: [SentinelProcess]

    /// Starts everything. Returns when the Sentinels know each other and the followers, which have all data.
    package init(_ options: Options = Options()) throws {
        let common =
            [
                "--repl-diskless-sync-delay", "0", "--min-replicas-to-write", "\(options.guardedBy)",
                "--min-replicas-max-lag", "1", "--repl-ping-replica-period", "1",
            ] + options.serverSettings
        let first = try RedisServer(common)
        let followers = try (0..<options.followers).map { _ in
            try RedisServer(common + ["--replicaof", "127.0.0.1 \(first.port)"])
        }
        servers = [first] + followers
        sentinels = try (0..<options.sentinels).map { _ in
            try SentinelProcess(Self.lines(watching: first.port, options))
        }
        try awaitWatch()
    }

    /// The lines of a Sentinel's configuration that have it watch a server.
    package static func lines(watching port: Int, _ options: Options) -> [String] {
        let name = primaryName
        return [
            "sentinel monitor \(name) 127.0.0.1 \(port) \(options.sentinels / 2 + 1)",
            "sentinel down-after-milliseconds \(name) \(options.downAfterMilliseconds)",
            "sentinel failover-timeout \(name) 6000", "sentinel parallel-syncs \(name) 5",
        ] + options.sentinelLines
    }

    private func awaitWatch() throws {
        let followers = servers.count - 1
        let isWatched = try Waiting.until(within: 30) {
            try sentinels.allSatisfy { sentinel in
                let facts = try Self.facts(sentinel)
                return facts["num-slaves"] == "\(followers)" && facts["num-other-sentinels"] == "\(sentinels.count - 1)"
            }
                && servers.dropFirst().allSatisfy {
                    try $0.command("INFO", "replication").contains("master_link_status:up")
                }
        }
        guard isWatched else { throw Failure(description: "the Sentinels do not know everybody") }
    }

    /// What a Sentinel says of the primary, by name.
    package static func facts(_ sentinel: SentinelProcess) throws -> [String: String] {
        let lines = try sentinel.command("SENTINEL", "MASTER", primaryName).split(
            separator: "\n", omittingEmptySubsequences: false)
        var facts: [String: String] = [:]
        for index in stride(from: 0, to: lines.count - 1, by: 2) {
            facts[String(lines[index])] = String(lines[index + 1])
        }
        return facts
    }

    /// Whether a server says that it is a primary.
    package static func isPrimary(_ server: RedisServer) -> Bool {
        (try? server.command("INFO", "replication").contains("role:master")) == true
    }

    /// Returns the first of these servers that says that it is a primary. A vote of the Sentinels that fails is
    /// repeated after twice the fail-over time-out.
    package func awaitPrimary(among servers: some Collection<RedisServer>, within seconds: Double = 60) throws
        -> RedisServer
    {
        let found = Waiting.poll(within: seconds) { servers.first(where: Self.isPrimary) }
        guard let found else { throw Failure(description: "no server was promoted within \(seconds) s") }
        return found
    }

    package func end() {
        for sentinel in sentinels {
            sentinel.thaw()
            sentinel.kill()
        }
        for server in servers {
            server.thaw()
            server.kill()
        }
    }
}
