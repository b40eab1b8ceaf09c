import Affinity
import LimpetTestKit
import NIOCore
import Testing

@testable import Store

@Suite("Announcements in a real Redis", .serialized)
struct AnnouncingTests {
    private static let backend = BackendHash(bits: 0x1ABC_DEF1)
    private let minute: Int64 = 60_000
    private let names = ChannelNames(namespace: .limpet, instance: InstanceID(random: 12_345_678_901_234_567_890))

    private func with(_ body: (RedisServer, StoreDriver, Listener) async throws -> Void) async throws {
        let server = try RedisServer()
        let store = try StoreDriver.redis(StoreSettings.patient(server))
        try await store.ready()
        let listener = try Listener(server.port, channel: "limpet:made")
        try await listener.subscribed()
        try await body(server, store, listener)
        try await listener.stop()
        try await store.stop()
    }

    private func only(_ listener: Listener) async throws -> [Substring] {
        try await eventually { !listener.messages.isEmpty }
        #expect(listener.messages.count == 1)
        return listener.messages.first?.split(separator: " ", omittingEmptySubsequences: false) ?? []
    }

    @Test("Records are published as they are when Redis runs the command, with their lifetimes")
    func records() async throws {
        try await with { _, store, listener in
            let tombstone = Binding(backend: .tombstone, epoch: 3)
            _ = try await store.send([
                .create(.test(1), Self.backend, lifetimeMilliseconds: minute),
                .restore(.test(2), tombstone, lifetimeMilliseconds: minute, createdAtSeconds: .max),
            ])
            #expect(try await store.announce([.test(1), .test(9), .test(2)], hasLeftOut: true, names) == .done)
            let words = try await only(listener)
            #expect(words.count == 8)
            #expect(
                words.prefix(4) == [
                    "12345678901234567890", "1", Fingerprint.test(1).text[...],
                    String(Binding(backend: Self.backend, epoch: 1).record)[...],
                ])
            #expect(words[5...6] == [Fingerprint.test(2).text[...], "\(tombstone.record):4294967295"])
            for word in [words[4], words[7]] { #expect((1...minute).contains(Int64(word) ?? 0)) }
        }
    }

    @Test("What is no record, or has no lifetime, is not published, and spoils nothing")
    func foreignValues() async throws {
        try await with { server, store, listener in
            let values = [
                "hello", "", "0", "007", "+5", "1 2", "16777216", "16776216", "9007199254740992", "9007199254740993",
                "99999999999999999", "1e3", "16777217:", "16777217:0", "16777217:07", "16777217:4294967296",
                "16777217:12345678901", String(repeating: "1", count: 28),
            ]
            for (index, value) in values.enumerated() {
                try server.command("SET", "limpet:\(Fingerprint.test(UInt64(index)).text)", value, "PX", "50000")
            }
            try server.command("LPUSH", "limpet:\(Fingerprint.test(50).text)", "x")
            try server.command("SET", "limpet:\(Fingerprint.test(51).text)", "16777217")
            try server.command("SET", "limpet:\(Fingerprint.test(52).text)", "16777217", "PX", "99999999999999")
            let fingerprints = (0...60).map { Fingerprint.test($0) }
            #expect(try await store.announce(fingerprints, hasLeftOut: false, names) == .done)
            // The longest lifetime that a record can have is never exceeded.
            let longest = String(Announcement.lifetimeMaxMilliseconds)
            #expect(
                try await only(listener) == [
                    "12345678901234567890", "0", Fingerprint.test(52).text[...], "16777217", longest[...],
                ])
        }
    }

    @Test("A full message of the longest records stays far below 16 KiB, and one record more is not sent")
    func fullMessage() async throws {
        try await with { _, store, listener in
            let fingerprints = (1...65).map { Fingerprint.test($0) }
            let binding = Binding(backend: BackendHash(bits: .max), epoch: Binding.epochMax)
            let life = Announcement.lifetimeMaxMilliseconds
            _ = try await store.send(
                fingerprints.map { .restore($0, binding, lifetimeMilliseconds: life, createdAtSeconds: .max) })
            #expect(try await store.announce(fingerprints, hasLeftOut: false, names) == nil)
            #expect(try await store.announce(Array(fingerprints.prefix(64)), hasLeftOut: false, names) == .done)
            #expect(try await only(listener).count == 2 + 64 * 3)
            #expect(listener.messages[0].utf8.count < 8192)
            #expect(try await store.announce([], hasLeftOut: true, names) == .done)
            try await eventually { listener.messages.count == 2 }
            #expect(listener.messages[1] == "12345678901234567890 1")
        }
    }

    @Test("A script that the store forgot is sent whole, once")
    func forgottenScript() async throws {
        try await with { server, store, listener in
            for _ in 0..<2 {
                #expect(try await store.announce([.test(1)], hasLeftOut: false, names) == .done)
                #expect(try server.command("INFO", "commandstats").contains("cmdstat_eval:calls=1,"))
            }
            try await eventually { listener.messages.count == 2 }
        }
    }

    @Test("Without the permission to publish it is refused, and the store stays in use")
    func noPermission() async throws {
        let server = try RedisServer()
        try server.command(
            "ACL", "SETUSER", "limpet", "on", ">hush", "~limpet:*", "resetchannels", "&limpet:rebind", "+@all")
        var settings = try StoreSettings.patient(server)
        settings.endpoint = try RedisEndpoint("redis://limpet:hush@127.0.0.1:\(server.port)")
        let store = try StoreDriver.redis(settings)
        try await store.ready()
        #expect(try await store.announce([.test(1)], hasLeftOut: false, names) == .refused)
        #expect(try await store.isAvailable)
        #expect(try await store.counters().connections == 1)
        try await store.stop()
    }

    @Test(
        "One in flight when the connection is lost is lost; none is sent while the store is away, or beyond the limit")
    func lost() async throws {
        let server = try RedisServer()
        let store = try StoreDriver.redis(StoreSettings.patient(server))
        try await store.ready()
        server.freeze()
        let limit = RedisConnectionState.controlCommandsMax
        let replies = try await withThrowingTaskGroup { group in
            for _ in 0...limit {
                group.addTask { try await store.announce([.test(1)], hasLeftOut: false, names) }
            }
            try await eventually { try store.runRedis { $0.depth } == limit }
            server.kill()
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(replies.count { $0 == .lost } == limit)
        #expect(replies.count { $0 == nil } == 1)
        #expect(try await store.announce([.test(1)], hasLeftOut: false, names) == nil)
        try await store.stop()
    }
}
