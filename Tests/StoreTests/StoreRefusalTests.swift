import Affinity
import LimpetTestKit
import Testing

@testable import Store

/// Real servers that refuse commands or connections.
@Suite("A Redis that refuses something")
struct StoreRefusalTests {
    @Test("A Redis that takes no more connections is said to have reached maxclients, with a password and without")
    func full() async throws {
        let redis = try RedisServer()
        try redis.command("CONFIG", "SET", "maxclients", "2")
        let held = try (0..<2).map { _ in try TCPSocket(port: redis.port) }
        for user in ["", "limpet:hush@"] {
            let driver = try ChannelDriver(
                StoreSettings(endpoint: RedisEndpoint("redis://\(user)127.0.0.1:\(redis.port)")))
            // Once by the store, and once by the channel.
            try await eventually(within: .seconds(5)) {
                driver.store.lines.all.count { $0.contains("reason=the server has reached its maxclients;") } == 2
            }
            #expect(driver.store.lines.all.count == 2, "\(driver.store.lines.all)")
            try await driver.stop()
        }
        withExtendedLifetime(held) {}
    }
}
