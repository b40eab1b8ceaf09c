import Affinity
import Foundation
import LimpetTestKit
import Testing

@testable import Store

/// A line of `docs/redis.md` that gives the user `limpet` its rights.
enum DocumentedRights {
    static let store = "    redis-cli ACL SETUSER limpet "
    static let sentinel = "    redis-cli -p 26379 ACL SETUSER limpet "

    /// The arguments of redis-cli, for the password `hush`.
    static func arguments(_ beginning: String) throws -> [String] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try TextFile.read(root.appendingPathComponent("docs/redis.md").path)
        let start = try #require(text.firstRange(of: beginning)?.upperBound)
        var line = ""
        for part in text[start...].split(separator: "\n", omittingEmptySubsequences: false) {
            line += part
            guard line.hasSuffix("\\") else { break }
            line.removeLast()
        }
        let words = line.replacing("'", with: "").replacing("PASSWORD", with: "hush").split(separator: " ")
        return ["ACL", "SETUSER", "limpet"] + words.map(String.init)
    }
}

@Suite("Rights of the store's user")
struct StoreRightsTests {
    private let minute: Int64 = 60_000

    private static func server(without rights: String..., and more: [String] = []) throws -> RedisServer {
        let server = try RedisServer()
        let arguments = try DocumentedRights.arguments(DocumentedRights.store)
        for right in rights { #expect(arguments.contains(right), "\(right) is not in the line") }
        #expect(try server.command(arguments.filter { !rights.contains($0) } + more) == "OK")
        return server
    }

    private static func settings(_ server: RedisServer) throws -> StoreSettings {
        var settings = try StoreSettings.patient(server)
        settings.endpoint = try RedisEndpoint("redis://limpet:hush@127.0.0.1:\(server.port)")
        return settings
    }

    @Test("The line in the documentation is enough for all that a replica does, and nothing else is attempted")
    func documentedLine() async throws {
        let server = try Self.server()
        let driver = try ChannelDriver(Self.settings(server))
        try await driver.live()
        let (one, two) = (BackendHash(bits: 1), BackendHash(bits: 2))
        let first = Binding(backend: one, epoch: 1)
        let results = try await driver.store.send([
            .create(.test(1), one, lifetimeMilliseconds: minute),
            .rebind(.test(1), from: first, to: two, lifetimeMilliseconds: minute),
            .restore(.test(2), Binding(backend: one, epoch: 2), lifetimeMilliseconds: minute),
        ])
        #expect(results == [.written, .written, .written])
        let touched = try await driver.store.send([
            .drop(.test(2), above: 2, lifetimeMilliseconds: minute), .touch(.test(1), lifetimeMilliseconds: minute),
            .read(.test(1)),
        ])
        for result in touched {
            guard case .record = result else {
                Issue.record("\(result)")
                continue
            }
        }
        guard case .page = try await driver.store.scan(from: 0) else {
            Issue.record("no page")
            return
        }
        #expect(try driver.run { $0.channel.publishFleet([1]) })
        try await eventually { driver.fleet.all.count == 1 }
        #expect(try driver.run { $0.channel.hearsAnnouncements })
        #expect(try await driver.announce([.test(1)], hasLeftOut: false) == .done)
        try await eventually { driver.announcements.all.count == 1 }
        #expect(!driver.store.lines.all.contains { $0.contains("right") })
        try await driver.stop()
        // One refusal is documented: the number of replicas that the server demands.
        let refused = try server.command("ACL", "LOG").split(separator: "\n").map(String.init)
        let objects = zip(refused, refused.dropFirst()).filter { $0.0.hasSuffix("object") }.map(\.1)
        #expect(Set(objects) == ["config|get"])
    }

    @Test(
        "A right that is missing is named once",
        arguments: [
            ("+getex", "+getex"), ("+set", "+set"), ("+publish", "+publish"), ("+scan", "+scan"),
            ("+pexpire", "a command that scripts run (+get, +pexpire, +pttl, +publish or +set)"),
        ])
    func missingCommand(_ right: String, _ named: String) async throws {
        let server = try Self.server(without: right)
        let driver = try ChannelDriver(Self.settings(server))
        try await driver.store.ready()
        try server.command("SET", "limpet:\(Fingerprint.test(7).text)", "16777217")
        for round in 0..<3 {
            _ = try await driver.store.send([
                .create(.test(1), BackendHash(bits: 1), lifetimeMilliseconds: minute),
                .touch(.test(1), lifetimeMilliseconds: minute),
                .restore(.test(7), Binding(backend: BackendHash(bits: 1), epoch: 1), lifetimeMilliseconds: minute),
            ])
            _ = try await driver.store.scan(from: 0)
            _ = try driver.run { $0.channel.publishFleet([UInt8(round)]) }
        }
        // Redis 7.2 and Valkey name the command in a script.
        let lines = Set([right, named]).map {
            "warning The user of the store lacks a right. right=\($0) store=redis://127.0.0.1:\(server.port)/0"
        }
        try await eventually { driver.store.lines.all.contains(where: lines.contains) }
        try await Task.sleep(for: .milliseconds(300))
        #expect(driver.store.lines.all.filter(lines.contains).count == 1)
        try await driver.stop()
    }

    @Test("Keys and channels that the user may not use are named, too")
    func keysAndChannels() async throws {
        let server = try Self.server(without: "~limpet:*", and: ["~other:*"])
        let driver = try ChannelDriver(Self.settings(server))
        try await driver.store.ready()
        #expect(
            try await driver.store.send(.create(.test(1), BackendHash(bits: 1), lifetimeMilliseconds: minute))
                == .unavailable(.refused))
        #expect(
            driver.store.lines.all.contains {
                $0.hasPrefix("warning The user of the store lacks a right. right=the keys of the namespace (~limpet:*)")
            })
        try server.command("ACL", "SETUSER", "limpet", "~limpet:*", "resetchannels", "&other:*")
        try await eventually {
            driver.store.lines.all.contains {
                $0.contains("the user has no permission for the channels of the namespace (&limpet:*)")
            }
        }
        try await driver.stop()
    }

    @Test("Of an error only a command's name is kept")
    func parsing() {
        let cases: [(String, MissingRight?)] = [
            ("NOPERM this user has no permissions to run the 'getex' command", .command("getex")),
            ("NOPERM User limpet has no permissions to run the 'config|get' command", .command("config|get")),
            ("ERR ACL failure in script: User limpet has no permissions to run the 'set' command", .command("set")),
            (
                "ERR The user executing the script can't run this command or subcommand script: 8f, on @user_script:1.",
                .commandInScript
            ),
            ("NOPERM this user has no permissions to access one of the keys used as arguments", .keys),
            ("NOPERM No permissions to access a channel", .channels),
            ("NOPERM User a has no permissions to run the 'p w' command", nil),
            ("NOPERM User a has no permissions to run the 'PASS' command", nil),
            ("NOPERM \(String(repeating: "x", count: 10_000))", nil), ("NOPERM", nil),
            ("OOM command not allowed when used memory > 'maxmemory'.", nil), ("", nil),
        ]
        for (text, right) in cases {
            #expect(Array(text.utf8).withUnsafeBytes(MissingRight.init) == right, "\(text.prefix(80))")
        }
    }
}

@Suite("Rights of the Sentinels' user")
struct SentinelRightsTests {
    @Test("The line in the documentation is enough to ask for the primary and to hear of another one, and no more")
    func documentedLine() throws {
        let primary = try RedisServer()
        let sentinel = try SentinelProcess(["sentinel monitor main 127.0.0.1 \(primary.port) 1"])
        // A subscription has no end.
        func command(_ arguments: [String], _ user: [String] = []) throws -> String {
            let client = try ChildProcess(
                ["/usr/bin/env", "redis-cli", "-p", "\(sentinel.port)", "--no-auth-warning"] + user + arguments,
                log: TemporaryFile.path())
            _ = client.waitForEnd(within: 2)
            client.kill()
            return try TextFile.read(client.outputPath)
        }
        #expect(try command(DocumentedRights.arguments(DocumentedRights.sentinel)).contains("OK"))
        let user = ["--user", "limpet", "--pass", "hush"]
        #expect(try command(["AUTH", "limpet", "hush"]).contains("OK"))
        #expect(try command(["PING"], user).contains("PONG"))
        #expect(try command(["SENTINEL", "MASTER", "main"], user).contains("\(primary.port)"))
        #expect(try command(["SUBSCRIBE", "+switch-master"], user).contains("+switch-master"))
        for refused in [
            ["SENTINEL", "FAILOVER", "main"], ["SENTINEL", "REMOVE", "main"], ["SUBSCRIBE", "other"],
            ["PSUBSCRIBE", "*"], ["ACL", "LIST"], ["INFO"],
        ] {
            #expect(try command(refused, user).contains("NOPERM"), "\(refused)")
        }
    }
}
