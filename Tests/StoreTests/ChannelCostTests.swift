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
    private static let replicas = 100

    /// In a fleet of this size a replica speaks of itself so often, in milliseconds.
    private static let interval = FleetRoster.intervalMilliseconds(replicas: replicas)

    @Test(
        "Heartbeats and presence of 100 replicas take at most a tenth of one core of Redis", arguments: [false, true])
    func cost(withPresence: Bool) async throws {
        let server = try RedisServer()
        var drivers: [ChannelDriver] = []
        for _ in 0..<Self.replicas { drivers.append(try ChannelDriver(StoreSettings.patient(server))) }
        for driver in drivers { try await driver.live(within: .seconds(20)) }
        for (number, driver) in drivers.enumerated() where withPresence {
            let first = Int64(number) * Self.interval / Int64(Self.replicas)
            try driver.announce(after: .milliseconds(first), each: .milliseconds(Self.interval))
        }
        try await Task.sleep(for: .seconds(3))
        try server.command("CONFIG", "RESETSTAT")
        let received = try echoes(drivers)
        let before = try ProcessStatus(server.pid).cpu
        let begin = ContinuousClock.now
        try await Task.sleep(for: .seconds(10))
        let spent = try ProcessStatus(server.pid).cpu - before
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        let rate = Double(try echoes(drivers) - received) / seconds
        let share = spent / seconds * 100
        print(
            "\(Self.replicas) replicas, \(withPresence ? "with" : "without") presence: \(share) % of a core,",
            "\(rate) echoes/s")
        #expect(rate > 9 * Double(Self.replicas))
        let areLive = drivers.allSatisfy(\.isLive)
        #expect(areLive)
        #expect(share <= 10)
        for driver in drivers { try await driver.stop() }
    }

    private func echoes(_ drivers: [ChannelDriver]) throws -> UInt64 {
        try drivers.reduce(0) { try $0 + $1.counters.echoes }
    }
}

extension ChannelDriver {
    /// Says something of 100 bytes to the fleet again and again.
    fileprivate func announce(after first: TimeAmount, each interval: TimeAmount) throws {
        try run { parts in
            let channel = NIOLoopBound(parts.channel, eventLoop: parts.channel.eventLoop)
            parts.channel.eventLoop.scheduleRepeatedTask(initialDelay: first, delay: interval) { _ in
                _ = channel.value.publishFleet([UInt8](repeating: 7, count: 100))
            }
        }
    }
}
