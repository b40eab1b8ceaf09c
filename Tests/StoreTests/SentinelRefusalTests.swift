import LimpetTestKit
import NIOCore
import Testing

@testable import Store

/// Real Sentinels that refuse something.
@Suite("Sentinels that refuse something")
struct SentinelRefusalTests {
    private static func sentinel(watching port: Int, _ lines: [String] = []) throws -> SentinelProcess {
        var options = SentinelDeployment.Options()
        options.sentinelLines = lines
        return try SentinelProcess(SentinelDeployment.lines(watching: port, options))
    }

    private static func settings(
        _ ports: [Int], password: String? = nil, masterName: String = SentinelDeployment.primaryName
    ) -> StoreSettings {
        let credentials = password.map { RedisCredentials(username: "limpet", password: $0) }
        return SentinelDriver.settings(
            SentinelSettings(
                endpoints: ports.map {
                    RedisEndpoint(address: .host("127.0.0.1", port: $0), credentials: credentials)
                }, primaryName: masterName))
    }

    @Test("A Sentinel that takes no more connections is said to have reached maxclients")
    func full() async throws {
        let redis = try RedisServer()
        let sentinel = try Self.sentinel(watching: redis.port, ["maxclients 8"])
        var held: [TCPSocket] = []
        for _ in 0..<8 { held.append(try TCPSocket(port: sentinel.port)) }
        let driver = try SentinelDriver([sentinel.port])
        let reason = "reason=the server has reached its maxclients;"
        try await eventually(within: .seconds(5)) { driver.count("A Sentinel cannot name the primary. \(reason)") == 1 }
        held = []
        try await driver.inUse(redis.port)
        try await driver.stop()
    }
}
