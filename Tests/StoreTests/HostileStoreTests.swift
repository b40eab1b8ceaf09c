import Affinity
import LimpetTestKit
import NIOCore
import Testing

@testable import Store

@Suite("A store that misbehaves", .serialized)
struct HostileStoreTests {
    private let minute: Int64 = 60_000
    private static let operations = (1...20).map { StoreOperation.touch(.test($0), lifetimeMilliseconds: 60_000) }

    /// Says `response` to the last touch of the first connection, and what is right to all else.
    private func misbehaving(_ response: HostileStore.Response) async throws -> HostileStore {
        try await HostileStore { command, connection in
            guard command[0] == "GETEX" else { return .honest }
            guard connection == 1 else { return .bytes("$-1\r\n") }
            return command[1].hasSuffix(Fingerprint.test(20).text) ? response : .bytes("$8\r\n16777217\r\n")
        }
    }

    private func settings(_ store: HostileStore) throws -> StoreSettings {
        var settings = try StoreSettings.plain(port: store.port)
        settings.commandTimeout = .milliseconds(100)
        // So that a connection without a reply ends before its server counts as silent.
        settings.lease = .seconds(10)
        return settings
    }

    @Test("Everybody who waits is told, and a new connection is made", arguments: Misdeed.all)
    func misdeeds(_ misdeed: Misdeed) async throws {
        let hostile = try await misbehaving(misdeed.response)
        let store = try StoreDriver.redis(settings(hostile))
        try await store.ready()
        let results = try await store.send(Self.operations)
        let record = StoreResult.record(Binding(backend: BackendHash(bits: 1), epoch: 1), remainingMilliseconds: minute)
        // What came before the misdeed counts; of a flood, that its first replies may look right is past finding out.
        #expect(results.dropLast() == results.dropLast().map { _ in record })
        #expect([.unavailable(.lost), .unavailable(.late), .absent].contains(results[19]))
        try await eventually {
            let isBack = try await store.isAvailable
            return hostile.connections >= 2 && isBack
        }
        #expect(try await store.send(Self.operations[0]) == .absent)
        let warnings = store.lines.all.filter { $0.hasPrefix("warning") }
        #expect(warnings.contains { $0.contains(misdeed.reason) })
        try await store.stop()
        try await hostile.stop()
    }

    @Test("No answer is given to another: one that comes too late is nobody's")
    func lateAnswers() async throws {
        // Each answer is the number in the question's own key, half of them after the budget.
        let hostile = try await HostileStore { command, _ in
            guard command[0] == "GETEX" else { return .honest }
            let number = (1...20).first { command[1].hasSuffix(Fingerprint.test($0).text) } ?? 0
            let record = String(number << 24 | 1)
            let reply = "$\(record.count)\r\n\(record)\r\n"
            return number == 10 ? .drip(reply, gap: .milliseconds(10)) : .bytes(reply)
        }
        let store = try StoreDriver.redis(settings(hostile))
        try await store.ready()
        for (index, result) in try await store.send(Array(Self.operations.prefix(10))).enumerated() {
            let binding = Binding(backend: BackendHash(bits: UInt32(index + 1)), epoch: 1)
            #expect(result == (index < 9 ? .record(binding, remainingMilliseconds: minute) : .unavailable(.late)))
        }
        // The tenth is under way still.
        let results = try await store.send(Array(Self.operations.suffix(5)))
        for (index, result) in results.enumerated() {
            let binding = Binding(backend: BackendHash(bits: UInt32(index + 16)), epoch: 1)
            #expect(result == .record(binding, remainingMilliseconds: minute) || result == .unavailable(.late))
        }
        try await store.stop()
        try await hostile.stop()
    }

    @Test("Bytes that come when nothing was asked end the connection")
    func unasked() async throws {
        let hostile = try await HostileStore { command, connection in
            connection == 1 && command[0] == "PING" ? .drip("+PONG\r\n$", gap: .milliseconds(2)) : .honest
        }
        let store = try StoreDriver.redis(settings(hostile))
        try await eventually {
            let isBack = try await store.isAvailable
            return hostile.connections >= 2 && isBack
        }
        #expect(store.lines.all.contains { $0.contains("a reply without a command") })
        try await store.stop()
        try await hostile.stop()
    }

    @Test(
        "What is no Redis, or none to use, is said to be so, once",
        arguments: [
            (HostileStore.Response.bytes("HTTP/1.1 400 Bad Request\r\n\r\n"), "does not speak the Redis protocol"),
            (.bytes("\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}\u{46}"), "the server speaks TLS"),
            (.bytes("$20\r\nredis_version:6.0.16\r\n"), "the server is Redis 6.0.16, but Redis 7.0 or later"),
            (.bytes("$20\r\nredis_mode:sentinel\n\r\n"), "is a Redis Sentinel"),
            (.bytes("-DENIED Redis is running in protected mode\r\n"), "the server rejects INFO with DENIED"),
            (.flood("+OK\r\n"), "does not speak the Redis protocol"),
            (.flood("a"), "does not speak the Redis protocol"),
            (.bytesAndClose(""), "closed the connection at once"), (.nothing, "a command got no reply in time"),
            (.drip(String(repeating: "$", count: 99), gap: .milliseconds(30)), "a command got no reply in time"),
        ])
    func notRedis(_ response: HostileStore.Response, _ reason: String) async throws {
        let hostile = try await HostileStore { command, _ in
            // Else the answer to CONFIG GET would be taken for that to INFO.
            command[0] == "INFO" ? response : command[0] == "CONFIG" ? .nothing : .honest
        }
        let store = try StoreDriver.redis(settings(hostile))
        try await eventually { try await store.counters().connectionFailures >= 2 }
        #expect(try await !store.isAvailable)
        let warnings = store.lines.all.filter { $0.hasPrefix("warning") }
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains(reason) == true)
        try await store.stop()
        try await hostile.stop()
    }

    @Test("A store that fails its probes is not asked")
    func failingProbes() async throws {
        let hostile = try await HostileStore { command, _ in
            command[0] == "PING" ? .bytes("-LOADING Redis is loading the dataset in memory\r\n") : .honest
        }
        let store = try StoreDriver.redis(settings(hostile))
        try await eventually { try await store.counters().refusals >= 3 }
        #expect(try await !store.isAvailable)
        #expect(hostile.connections == 1)
        #expect(store.lines.all.filter { $0.contains("LOADING") }.count == 1)
        try await store.stop()
        try await hostile.stop()
    }
}

struct Misdeed: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let response: HostileStore.Response
    /// A part of what is said of it.
    let reason: String

    static let all: [Misdeed] = [
        Misdeed(
            testDescription: "a bulk of 100 MB",
            response: .flood("$104857600\r\n" + String(repeating: "a", count: 9000)),
            reason: "too large"),
        Misdeed(testDescription: "an array without end", response: .flood("*200\r\n:1\r\n"), reason: "too large"),
        Misdeed(
            testDescription: "an array of a billion", response: .bytes("*1000000000\r\n"), reason: "too large"),
        Misdeed(
            testDescription: "replies without end", response: .flood("$-1\r\n"), reason: "a reply without a command"),
        Misdeed(
            testDescription: "garbage", response: .bytes("\u{0}\u{1}garbage\r\n"), reason: "malformed bytes"),
        Misdeed(testDescription: "a status", response: .bytes("+OK\r\n"), reason: "does not fit"),
        Misdeed(testDescription: "an integer", response: .bytes(":5\r\n"), reason: "does not fit"),
        Misdeed(testDescription: "an array", response: .bytes("*2\r\n:0\r\n:5\r\n"), reason: "does not fit"),
        Misdeed(testDescription: "a close", response: .bytesAndClose(""), reason: "closed the connection"),
        Misdeed(
            testDescription: "a close within a reply", response: .bytesAndClose("$8\r\n1677"), reason: "closed the"),
        Misdeed(testDescription: "silence", response: .nothing, reason: "a command got no reply in time"),
        Misdeed(
            testDescription: "a byte now and then", response: .drip("$8\r\n16777217\r\n", gap: .milliseconds(90)),
            reason: "a command got no reply in time"),
    ]
}
