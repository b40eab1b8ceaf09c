import Affinity
import LimpetTestKit
import NIOCore
import Testing

@testable import Store

@Suite("Announcements on the coherence channel", .serialized)
struct StandbyChannelTests {
    private static let refusal = "Standby is off: Redis does not permit the subscription to announcements."
    private static let backend = BackendHash(bits: 7)
    private let key = Fingerprint.test(1)
    private let minute: Int64 = 60_000

    /// Sets the channels that the user may use.
    private func permit(_ channels: [String], _ server: RedisServer) throws {
        try server.command(
            ["ACL", "SETUSER", "limpet", "on", ">hush", "~limpet:*", "+@all", "resetchannels"]
                + channels.map { "&\($0)" })
    }

    private static let coherence = ["limpet:rebind", "limpet:hb:*", "limpet:fleet"]

    @Test("What one replica announces, all hear as the store holds it, itself included")
    func hearing() async throws {
        let server = try RedisServer()
        let drivers = [
            try ChannelDriver(StoreSettings.patient(server), instance: InstanceID(random: .max)),
            try ChannelDriver(StoreSettings.patient(server), instance: InstanceID(random: 0)),
        ]
        for driver in drivers {
            try await driver.live()
            try await driver.store.ready()
            #expect(try driver.run { $0.channel.hearsAnnouncements })
        }
        let binding = Binding(backend: Self.backend, epoch: 3)
        let restore = StoreOperation.restore(
            key, binding, lifetimeMilliseconds: minute, createdAtSeconds: 1_700_000_000)
        #expect(try await drivers[0].store.send(restore) == .written)
        #expect(try await drivers[0].announce([.test(9), key], hasLeftOut: false) == .done)
        #expect(try await drivers[1].announce([], hasLeftOut: true) == .done)
        for driver in drivers {
            try await eventually { driver.announcements.all.count == 2 }
            let (first, second) = (driver.announcements.all[0], driver.announcements.all[1])
            #expect(first.instance == .max)
            #expect(!first.hasLeftOut)
            #expect(first.items.map(\.fingerprint) == [key])
            let record = try #require(first.items.first?.record)
            #expect(record.binding == binding)
            #expect(record.createdAtSeconds == 1_700_000_000)
            #expect((minute - 10_000...minute).contains(record.remainingMilliseconds))
            #expect(second == Announcement(instance: 0, hasLeftOut: true, items: []))
            #expect(try driver.counters.announcements == 2)
            #expect(try driver.counters.aliens == 0)
            try await driver.stop()
        }
    }

    @Test("Without the right to the announcements there is coherence, and what is missing is said once")
    func noRight() async throws {
        let server = try RedisServer()
        try permit(Self.coherence, server)
        var settings = try StoreSettings.patient(server)
        settings.endpoint = try RedisEndpoint("redis://limpet:hush@127.0.0.1:\(server.port)")
        let driver = try ChannelDriver(settings)
        func refusals() -> Int { driver.store.lines.all.filter { $0.contains(Self.refusal) }.count }
        func reconnect(_ connections: Int) async throws {
            try server.command("CLIENT", "KILL", "TYPE", "pubsub")
            try await eventually {
                try driver.counters.connections == connections && driver.isLive
            }
        }
        try await driver.live()
        #expect(try !driver.run { $0.channel.hearsAnnouncements })
        #expect(try await driver.announce([key], hasLeftOut: false) == .refused)
        try await reconnect(2)
        #expect(refusals() == 1)
        #expect(
            driver.store.lines.all.contains("warning \(Self.refusal) store=redis://127.0.0.1:\(server.port)/0"))
        try permit(Self.coherence + ["limpet:made"], server)
        try await reconnect(3)
        #expect(try driver.run { $0.channel.hearsAnnouncements })
        #expect(refusals() == 1)
        try permit(Self.coherence, server)
        try await eventually { try driver.counters.connections == 4 && driver.isLive }
        #expect(try !driver.run { $0.channel.hearsAnnouncements })
        #expect(refusals() == 2)
        try await driver.stop()
    }

    @Test("Announcements are not heard while the channel is down, and are heard again after it")
    func down() async throws {
        let server = try RedisServer()
        let driver = try ChannelDriver(StoreSettings.plain(port: server.port))
        try await driver.live()
        #expect(try driver.run { $0.channel.hearsAnnouncements })
        server.kill()
        try await eventually(within: .seconds(1)) { try !driver.isUp }
        #expect(try !driver.run { $0.channel.hearsAnnouncements })
        try server.start()
        try await driver.live()
        #expect(try driver.run { $0.channel.hearsAnnouncements })
        try await driver.stop()
    }

    @Test("A message that is no announcement is ignored and counted, and the channel stays")
    func aliens() async throws {
        let server = try RedisServer()
        let driver = try ChannelDriver(StoreSettings.plain(port: server.port))
        try await driver.live()
        let payloads = ["", "x", "1", "1 2", "1 0 ", "1 0 \(key.text)", String(repeating: "a", count: 20_000)]
        for payload in payloads { try server.command("PUBLISH", "limpet:made", payload) }
        try await eventually { try driver.counters.aliens == UInt64(payloads.count) }
        #expect(try driver.counters.announcements == 0)
        #expect(driver.isLive)
        #expect(try driver.counters.connections == 1)
        try await driver.stop()
    }
}
