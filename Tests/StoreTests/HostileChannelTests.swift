import Affinity
import LimpetTestKit
import NIOCore
import Synchronization
import Testing

@testable import Store

@Suite("A store that misbehaves on the coherence channel", .serialized)
struct HostileChannelTests {
    private static let instance = InstanceID(random: 0x12)
    private static let heartbeat = "limpet:hb:0000000000000012"
    private static let acknowledgements = acknowledge(["limpet:rebind", heartbeat, "limpet:fleet", "limpet:made"])

    private static func acknowledge(_ channels: [String], after first: Int = 0) -> String {
        channels.enumerated().map {
            "*3\r\n\(bulk("subscribe"))\(bulk($0.element)):\($0.offset + first + 1)\r\n"
        }.joined()
    }

    private static func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }

    private static func message(_ parts: String...) -> String {
        "*\(parts.count)\r\n" + parts.map(bulk).joined()
    }

    private func driver(
        _ hostile: HostileStore, budget: Duration = .milliseconds(100), lease: Duration = .milliseconds(500)
    ) throws -> ChannelDriver {
        var settings = try StoreSettings.plain(port: hostile.port)
        settings.commandTimeout = budget
        settings.lease = lease
        return try ChannelDriver(settings, instance: Self.instance)
    }

    @Test(
        "What is no message ends the subscription, which is made again",
        arguments: [
            "+OK\r\n", ":1\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n", "-ERR what\r\n", bulk("message"), "garbage\r\n",
            "\u{0}\r\n", message("message", "limpet:rebind"), message("message", "limpet:rebind", "a", "b"),
            message("pmessage", "limpet:rebind", "x"), message("message", "limpet:other", "x"),
            message("message", "limpet:made"), message("message", "limpet:made", "1", "0"),
            message("message", "limpet:made", String(repeating: "a", count: 40_000)),
            message("subscribe", "limpet:rebind", "x"), message("message", "\u{FF}", "x"),
            "*3\r\n\(bulk("subscribe"))\(bulk("limpet:rebind")):1\r\n",
            "*3\r\n\(bulk("message"))\(bulk("limpet:rebind")):1\r\n",
            "*3\r\n\(bulk("message"))\(bulk("limpet:rebind"))*1\r\n:1\r\n",
            "*3\r\n\(bulk("message"))\(bulk("limpet:fleet"))$104857600\r\n" + String(repeating: "a", count: 200_000),
            message("message", "limpet:fleet", String(repeating: "a", count: 40_000)), "*1000000000\r\n",
            String(repeating: "*1\r\n", count: 9), "$9223372036854775807\r\n" + String(repeating: "a", count: 100_000),
        ])
    func misdeeds(_ bytes: String) async throws {
        let hostile = try await HostileStore { _, _ in .honest }
        let driver = try driver(hostile)
        try await driver.live()
        try await driver.store.ready()
        try await hostile.push(bytes)
        try await eventually(within: .seconds(2)) { try driver.counters.connectionFailures == 1 }
        try await eventually { try driver.counters.connections == 2 && driver.isLive }
        #expect(try driver.generations == 2)
        #expect(try await driver.store.counters().connections == 1)
        #expect(driver.fleet.all.isEmpty)
        try await driver.stop()
        try await hostile.stop()
    }

    @Test(
        "What is no answer to SUBSCRIBE ends the attempt, and the next one may be good",
        arguments: [
            (HostileStore.Response.bytes("+OK\r\n"), "does not answer SUBSCRIBE"),
            (.bytes("-NOPERM no\r\n"), "no permission to run SUBSCRIBE"),
            (.bytes("-WHAT no\r\n"), "rejects SUBSCRIBE with WHAT"),
            (.bytes("*3\r\n\(bulk("subscribe"))\(bulk("limpet:other")):1\r\n"), "does not answer SUBSCRIBE"),
            (.bytes("*3\r\n\(bulk("subscribe"))\(bulk("limpet:rebind")):2\r\n"), "does not answer SUBSCRIBE"),
            (.bytes(message("message", "limpet:rebind", "x")), "does not answer SUBSCRIBE"),
            (.flood("*200\r\n:1\r\n"), "a message that is too large"), (.flood("a"), "malformed bytes"),
            (.nothing, "a command got no reply in time"), (.bytesAndClose(""), "closed the connection at once"),
            (.drip(acknowledgements, gap: .milliseconds(50)), "a command got no reply in time"),
            (.drip(acknowledgements + "*3\r\n$7\r\n", gap: .microseconds(200)), "heartbeats are not coming back"),
        ])
    func subscription(_ response: HostileStore.Response, _ reason: String) async throws {
        let count = Counter()
        let hostile = try await HostileStore { command, _ in
            guard command[0] == "SUBSCRIBE" else { return .honest }
            // The second command of the first attempt is answered with the first one.
            return switch count.next() {
            case 1: response
            case 2: .nothing
            default: .honest
            }
        }
        let driver = try driver(hostile)
        try await eventually { driver.isLive }
        #expect(try driver.counters.connectionFailures >= 1)
        #expect(driver.store.lines.all.contains { $0.contains(reason) })
        try await driver.stop()
        try await hostile.stop()
    }

    @Test(
        "What is no answer to the second SUBSCRIBE ends the attempt, and the next one may be good",
        arguments: [
            (HostileStore.Response.bytes("+OK\r\n"), "does not answer SUBSCRIBE"),
            (.bytes("$-1\r\n"), "does not answer SUBSCRIBE"),
            (.bytes(acknowledge(["limpet:made"], after: 2)), "does not answer SUBSCRIBE"),
            (.bytes(acknowledge(["limpet:other"], after: 3)), "does not answer SUBSCRIBE"),
            (.bytes(message("message", "limpet:made", "1 0")), "does not answer SUBSCRIBE"),
            (.nothing, "a command got no reply in time"), (.bytesAndClose(""), "closed the connection at once"),
        ])
    func announcementSubscription(_ response: HostileStore.Response, _ reason: String) async throws {
        let count = Counter()
        let hostile = try await HostileStore { command, _ in
            command == ["SUBSCRIBE", "limpet:made"] && count.next() == 1 ? response : .honest
        }
        let driver = try driver(hostile)
        try await eventually { driver.isLive }
        #expect(try driver.counters.connectionFailures == 1)
        #expect(try driver.counters.connections == 1)
        #expect(try driver.run { $0.channel.hearsAnnouncements })
        #expect(driver.store.lines.all.contains { $0.contains(reason) })
        try await driver.stop()
        try await hostile.stop()
    }

    @Test("Messages between the two acknowledgements are heard, whatever the second one is", arguments: [true, false])
    func earlyMessages(_ isPermitted: Bool) async throws {
        let rebind = Self.message("message", "limpet:rebind", "\(Fingerprint.test(1).text) 33554434")
        let early =
            rebind + Self.message("message", "limpet:fleet", "hello") + rebind
            + Self.message("message", Self.heartbeat, "1 \(String(repeating: "a1", count: 20)) e")
            + Self.message("message", "limpet:rebind", "x")
        let answer = isPermitted ? Self.acknowledge(["limpet:made"], after: 3) : "-NOPERM no\r\n"
        let hostile = try await HostileStore { command, _ in
            command == ["SUBSCRIBE", "limpet:made"] ? .bytes(early + answer) : .honest
        }
        let driver = try driver(hostile)
        try await driver.live()
        #expect(try driver.run { $0.channel.hearsAnnouncements } == isPermitted)
        let counters = try driver.counters
        #expect(counters.rebinds == 2)
        #expect(counters.fleetMessages == 1)
        #expect(counters.aliens == 1)
        #expect(counters.connections == 1)
        #expect(counters.connectionFailures == 0)
        // An announcement that was not subscribed to is the end.
        try await hostile.push(Self.message("message", "limpet:made", "1 0"))
        if isPermitted {
            try await eventually { driver.announcements.all.count == 1 }
        } else {
            try await eventually(within: .seconds(2)) { try driver.counters.connectionFailures == 1 }
            #expect(driver.announcements.all.isEmpty)
        }
        try await driver.stop()
        try await hostile.stop()
    }

    @Test("An echo of nothing that was sent, or of another server, proves nothing")
    func forgedEchoes() async throws {
        let hostile = try await HostileStore { command, _ in command[0] == "EVALSHA" ? .bytes("$-1\r\n") : .honest }
        // Without a true echo the subscription is given up after two leases.
        let driver = try driver(hostile, lease: .seconds(5))
        try await eventually { try driver.isUp && driver.counters.heartbeats >= 1 }
        let runID = String(repeating: "a1", count: 20)
        let payloads = [
            "99999 \(runID) e", "1 other e", "0 \(runID) e", "-1 \(runID) e", "+1 \(runID) e",
            "18446744073709551616 \(runID) e", "1 \(runID)", "1 \(runID) ", "1  e", "1 \(runID) e e", "",
            "1 \(runID) \u{7F}", String(repeating: "1", count: 5000),
        ]
        for payload in payloads { try await hostile.push(Self.message("message", Self.heartbeat, payload)) }
        try await eventually { try driver.counters.aliens == 10 }
        #expect(try driver.counters.echoes == 0)
        #expect(!driver.isLive)
        // The right one does.
        let last = try driver.counters.heartbeats
        try await hostile.push(Self.message("message", Self.heartbeat, "\(last) \(runID) e"))
        try await eventually { try driver.counters.echoes == 1 }
        try await driver.stop()
        try await hostile.stop()
    }

    @Test(
        "A heartbeat's reply that is none ends the data connection, and answers no question",
        // A heartbeat answers nil. A second nil could not be told from a touch's answer, so the surplus is another.
        arguments: ["+OK\r\n", ":1\r\n", "*0\r\n", "$-1\r\n:7\r\n"])
    func heartbeatReplies(_ reply: String) async throws {
        let count = Counter()
        let hostile = try await HostileStore { command, _ in
            switch command[0] {
            case "EVALSHA": count.next() == 3 ? .bytes(reply) : .honest
            case "GETEX": .bytes("$8\r\n16777217\r\n")
            default: .honest
            }
        }
        // The subscription would go, too, if no heartbeat came for two leases.
        let driver = try driver(hostile, lease: .seconds(5))
        try await driver.store.ready()
        let record = StoreResult.record(Binding(backend: BackendHash(bits: 1), epoch: 1), remainingMilliseconds: 60_000)
        let possible = [record, .unavailable(.lost), .unavailable(.away), .unavailable(.late)]
        let touch = StoreOperation.touch(.test(1), lifetimeMilliseconds: 60_000)
        try await eventually {
            let result = try await driver.store.send(touch)
            #expect(possible.contains(result))
            return try await driver.store.counters().connectionFailures > 0
        }
        // The subscription is another connection, and stays.
        #expect(try driver.counters.connections == 1)
        try await driver.live()
        try await driver.store.ready()
        try await eventually { try await driver.store.send(touch) == record }
        try await driver.stop()
        try await hostile.stop()
    }

    @Test("A store that does not name its server is not used, and that is said")
    func emulation() async throws {
        let info = "redis_version:7.0.15\r\nrole:master\r\n"
        let hostile = try await HostileStore { command, _ in
            command[0] == "INFO" ? .bytes(Self.bulk(info)) : .honest
        }
        let driver = try driver(hostile)
        // Store and subscription share two attempts a second, and each waits up to two seconds between its own.
        try await eventually { try await driver.store.counters().connectionFailures >= 2 }
        #expect(try await !driver.store.isAvailable)
        #expect(!driver.isLive)
        #expect(driver.store.lines.all.contains { $0.contains("reports no run_id") })
        try await driver.stop()
        try await hostile.stop()
    }

    @Test("A flood of messages is heard in bounded memory while questions are answered")
    func flood() async throws {
        let hostile = try await HostileStore { command, _ in command[0] == "GETEX" ? .bytes("$-1\r\n") : .honest }
        let driver = try driver(hostile, budget: .seconds(5), lease: .seconds(5))
        try await driver.live()
        try await driver.store.ready()
        let rebind = Self.message("message", "limpet:rebind", "\(Fingerprint.test(1).text) 33554434")
        let batch = String(repeating: rebind, count: 2000)
        for _ in 0..<5 { try await hostile.push(batch) }
        #expect(try await driver.store.send(.touch(.test(1), lifetimeMilliseconds: 60_000)) == .absent)
        try await eventually { try driver.counters.rebinds == 10_000 }
        #expect(try driver.counters.connections == 1)
        try await driver.live()
        try await driver.stop()
        try await hostile.stop()
    }
}

/// Counts calls from 1.
private final class Counter: Sendable {
    private let number = Mutex(0)

    func next() -> Int {
        number.withLock {
            $0 += 1
            return $0
        }
    }
}
