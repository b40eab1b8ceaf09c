import Affinity
import LimpetTestKit
import NIOCore
import Testing

@testable import Store

@Suite("Sentinels that misbehave", .serialized)
struct HostileSentinelTests {
    private static func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }

    private static func array(_ texts: [String]) -> String { "*\(texts.count)\r\n" + texts.map(bulk).joined() }

    /// What a Sentinel says of the primary.
    private static func facts(_ changes: [String: String?] = [:]) -> String {
        var facts: [String: String] = [
            "name": "mymaster", "ip": "10.0.0.7", "port": "6379", "config-epoch": "4", "quorum": "2",
        ]
        for (key, value) in changes { facts[key] = value }
        return array(facts.flatMap { [$0.key, $0.value] })
    }

    private static func reply(_ text: String) throws -> SentinelReply? {
        let reader = try #require(RESPReader())
        var reply: SentinelReply?
        let fault = Array(text.utf8).withUnsafeBytes { reader.feed($0) }
        reader.drain {
            reply = SentinelReply($0)
            return true
        }
        return fault == nil ? reply : nil
    }

    @Test("The address and the epoch are read, a name and an IPv6 address too")
    func reading() throws {
        #expect(try Self.reply(Self.facts()) == .primary(ServerAddress(host: "10.0.0.7", port: 6379), epoch: 4))
        #expect(
            try Self.reply(Self.facts(["ip": "fd00::7", "port": "65535", "config-epoch": "0"]))
                == .primary(ServerAddress(host: "fd00::7", port: 65535), epoch: 0))
        #expect(
            try Self.reply(Self.facts(["ip": "redis-0.redis.svc", "config-epoch": "18446744073709551615"]))
                == .primary(ServerAddress(host: "redis-0.redis.svc", port: 6379), epoch: .max))
        #expect(try Self.reply("-ERR No such master with that name\r\n") == .unknownName)
    }

    @Test("What names no server is refused")
    func refused() throws {
        let strange: [[String: String?]] = [
            ["ip": nil], ["ip": ""], ["ip": "a b"], ["ip": "a\u{0}"], ["ip": "ä"], ["ip": "a\r\nPING"],
            ["ip": String(repeating: "a", count: 256)], ["port": nil], ["port": "0"], ["port": "65536"],
            ["port": "-1"], ["port": "+7"], ["port": "99999999999999999999"], ["config-epoch": nil],
            ["config-epoch": "x"], ["config-epoch": "18446744073709551616"],
        ]
        for changes in strange {
            guard case .failed(.misbehaves) = try Self.reply(Self.facts(changes)) else {
                Issue.record("\(changes)")
                continue
            }
        }
        for text in [
            "*0\r\n", "*-1\r\n", "$-1\r\n", "+OK\r\n", ":7\r\n", "*2\r\n:1\r\n:2\r\n", "*2\r\n$2\r\nip\r\n:1\r\n",
        ] {
            guard case .failed(.misbehaves) = try Self.reply(text) else {
                Issue.record("\(text)")
                continue
            }
        }
        #expect(try Self.reply("-NOAUTH Authentication required.\r\n") == .failed(.passwordNeeded))
        #expect(try Self.reply("-ERR unknown command 'SENTINEL', with args\r\n") == .failed(.notSentinel))
    }

    @Test(
        "Bytes that do not answer end the connection, and the primary that the others name stays in use",
        arguments: [
            "+OK\r\n", "*1000000000\r\n", "garbage\r\n", "\u{0}\r\n",
            "$104857600\r\n" + String(repeating: "a", count: 100_000),
            "*3\r\n$1\r\na\r\n", facts(["ip": "a b"]), facts() + facts() + facts() + facts() + facts() + facts(),
        ])
    func misdeeds(_ bytes: String) async throws {
        let redis = try RedisServer()
        let sentinels = try (0..<2).map { _ in
            try SentinelProcess(SentinelDeployment.lines(watching: redis.port, .init()))
        }
        let hostile = try await HostileStore { command, _ in
            command.first == "SUBSCRIBE"
                ? .bytes("*3\r\n\(Self.bulk("subscribe"))\(Self.bulk(command[1])):1\r\n") : .bytes(bytes)
        }
        let driver = try SentinelDriver([hostile.port] + sentinels.map(\.port))
        try await driver.inUse(redis.port)
        try await Task.sleep(for: .seconds(2))
        #expect(try driver.status.primary?.port == redis.port && driver.status.switches == 1)
        #expect(driver.channel.isLive)
        // Its connection is made again, not again and again.
        #expect(hostile.connections <= 12, "\(hostile.connections)")
        try await driver.stop()
        try await hostile.stop()
    }

    @Test("Notices without end are read in bounded memory, and asked about ten times a second at most")
    func notices() async throws {
        let redis = try RedisServer()
        let sentinels = try (0..<2).map { _ in
            try SentinelProcess(SentinelDeployment.lines(watching: redis.port, .init()))
        }
        let notice = Self.array([
            "message", "+switch-master", "\(SentinelDeployment.primaryName) 10.0.0.1 1 10.0.0.2 2",
        ])
        let hostile = try await HostileStore { command, _ in
            command.first == "SUBSCRIBE"
                ? .flood("*3\r\n\(Self.bulk("subscribe"))\(Self.bulk(command[1])):1\r\n" + notice) : .nothing
        }
        let driver = try SentinelDriver([hostile.port] + sentinels.map(\.port))
        try await driver.inUse(redis.port)
        func asked() throws -> Int {
            let lines = try sentinels[0].command("INFO", "stats").split(whereSeparator: \.isNewline)
            let line = lines.first { $0.hasPrefix("total_commands_processed:") } ?? ""
            return Int(line.drop { $0 != ":" }.dropFirst()) ?? 0
        }
        let before = try asked()
        try await Task.sleep(for: .seconds(3))
        // The Sentinels ask each other, too, some times a second.
        #expect(try asked() - before < 30 + 60)
        #expect(driver.channel.isLive)
        try await driver.stop()
        try await hostile.stop()
    }
}
