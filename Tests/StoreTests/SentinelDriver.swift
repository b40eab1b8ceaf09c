import Affinity
import LimpetTestKit
import Logging
import NIOCore

@testable import Store

/// A store whose primary Sentinels name, its coherence channel, and what asks the Sentinels, on one loop, as a replica
/// has them.
final class SentinelDriver: Sendable {
    let channel: ChannelDriver
    private let monitor: NIOLoopBound<SentinelMonitor>

    var lines: LogLines { channel.store.lines }

    /// - Parameter ports: of the Sentinels.
    convenience init(
        _ ports: [Int], password: String? = nil, masterName: String = SentinelDeployment.primaryName
    ) throws {
        try self.init(Self.settings(ports, password: password, masterName: masterName))
    }

    convenience init(_ settings: StoreSettings) throws {
        try self.init(RedisPrimary(settings, connections: 1))
    }

    init(_ primary: RedisPrimary) throws {
        channel = try ChannelDriver(primary)
        let lines = channel.store.lines
        let coherence = channel.coherence
        let loop = channel.store.loop
        guard
            let monitor = try channel.run({ _ in
                SentinelMonitor(
                    primary, on: loop, coherence: coherence, logger: Logger(label: "test") { _ in lines.handler }
                ).map { NIOLoopBound($0, eventLoop: loop) }
            })
        else { throw NotInTime() }
        self.monitor = monitor
        try channel.run { _ in monitor.value.start() }
    }

    /// - Parameter password: of the Sentinels' user.
    static func settings(
        _ ports: [Int], password: String? = nil, masterName: String = SentinelDeployment.primaryName
    ) -> StoreSettings {
        let credentials = password.map { RedisCredentials(username: "limpet", password: $0) }
        return settings(
            SentinelSettings(
                endpoints: ports.map {
                    RedisEndpoint(address: .host("127.0.0.1", port: $0), credentials: credentials)
                }, primaryName: masterName))
    }

    static func settings(_ sentinels: SentinelSettings) -> StoreSettings {
        StoreSettings(
            endpoint: RedisEndpoint(address: .host("", port: 0)), sentinel: sentinels, connectTimeout: .seconds(1),
            commandTimeout: .milliseconds(300), lease: .milliseconds(600))
    }

    var status: SentinelMonitor.Status { get throws { try channel.run { [monitor] _ in monitor.value.status } } }

    /// Waits until the store at this port is in use and its channel is live.
    func inUse(_ port: Int, within limit: Duration = .seconds(30)) async throws {
        try await eventually(within: limit) {
            guard try self.status.primary?.port == port, self.channel.isLive else { return false }
            return try await self.channel.store.isAvailable
        }
    }

    /// How often something with these words was logged.
    func count(_ words: String) -> Int { lines.all.count { $0.contains(words) } }

    func stop() async throws {
        try await channel.store.loop.flatSubmit { [monitor] in monitor.value.stop() }.get()
        try await channel.stop()
    }
}

extension SentinelProcess {
    /// Waits until a driver has asked it this many more times. Other Sentinels must not know it, because they ask, too.
    func asked(_ rounds: Int) async throws {
        let before = try commandCount()
        var own = 0
        try await eventually {
            own += 1
            // Over one connection it is asked, and over the other one it gets a PING.
            return try self.commandCount() - before - own >= 2 * rounds
        }
    }

    /// The number of commands that it has answered, without this one.
    private func commandCount() throws -> Int {
        let line = try command("INFO", "stats").split(whereSeparator: \.isNewline)
            .first { $0.hasPrefix("total_commands_processed:") }
        guard let line, let count = Int(line.drop { $0 != ":" }.dropFirst()) else { throw NotInTime() }
        return count
    }
}
