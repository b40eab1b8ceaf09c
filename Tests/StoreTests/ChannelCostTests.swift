import Affinity
import Foundation
import LimpetTestKit
import NIOCore
import NIOPosix
import Testing

@testable import Store

@Suite(
    "What coherence costs the store", .serialized,
    .enabled(if: ProcessInfo.processInfo.environment["LIMPET_MEASURE"] != nil))
struct ChannelCostTests {
    enum Presence {
        case none
        /// Everybody once a second, at a time of his own.
        case spread
        /// Once a second, and whoever hears another joins in if he has been silent for half a second: so all speak
        /// at once, and Redis sends what they say in few writes.
        case together
    }

    private static let replicas = 100

    @Test(
        "Heartbeats and presence of 100 replicas take at most a tenth of one core of Redis",
        arguments: [Presence.none, .spread, .together])
    func cost(_ presence: Presence) async throws {
        let server = try RedisServer()
        var drivers: [ChannelDriver] = []
        for _ in 0..<Self.replicas { drivers.append(try ChannelDriver(StoreSettings.patient(server))) }
        for driver in drivers { try await driver.live(within: .seconds(20)) }
        for (number, driver) in drivers.enumerated() where presence != .none {
            let first = TimeAmount.milliseconds(Int64(number * 1000 / Self.replicas))
            try driver.announce(after: first, together: presence == .together)
        }
        try await Task.sleep(for: .seconds(3))
        try server.command("CONFIG", "RESETSTAT")
        let heard = try echoes(drivers)
        let before = try ProcessStatus(server.pid).cpu
        let begin = ContinuousClock.now
        try await Task.sleep(for: .seconds(10))
        let spent = try ProcessStatus(server.pid).cpu - before
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        let rate = Double(try echoes(drivers) - heard) / seconds
        let share = spent / seconds * 100
        print(
            "\(Self.replicas) replicas, presence \(presence): \(share) % of a core,",
            "\(rate) echoes/s")
        print(try server.command("INFO", "commandstats"))
        #expect(rate > 9 * Double(Self.replicas))
        let areLive = drivers.allSatisfy(\.isLive)
        #expect(areLive)
        // Spread out, each word is a write of Redis for each replica: that is what joining in spares.
        #expect(presence == .spread || share <= 10)
        for driver in drivers { try await driver.stop() }
    }

    private func echoes(_ drivers: [ChannelDriver]) throws -> UInt64 {
        try drivers.reduce(0) { try $0 + $1.counters.echoes }
    }
}

extension ChannelDriver {
    /// Says something of 100 bytes to the fleet, once a second.
    fileprivate func announce(after first: TimeAmount, together: Bool) throws {
        try run { parts in
            let presence = Announcer(parts.channel)
            if together { parts.channel.onFleetMessage = { _, now in presence.heard(now: now) } }
            presence.tick(after: first)
        }
    }
}

private final class Announcer {
    private let channel: RedisChannel
    private var last = Instant.distantPast

    init(_ channel: RedisChannel) { self.channel = channel }

    func tick(after wait: TimeAmount) {
        channel.eventLoop.assumeIsolated().scheduleTask(in: wait) {
            let now = Instant.now
            if now.milliseconds(since: self.last) >= 1000 { self.say(now) }
            self.tick(after: .milliseconds(100))
        }
    }

    func heard(now: Instant) {
        if now.milliseconds(since: last) >= 500 { say(now) }
    }

    private func say(_ now: Instant) {
        last = now
        _ = channel.publishFleet([UInt8](repeating: 7, count: 100))
    }
}
