import Configuration
import NIOCore
import Proxy
import Testing

@testable import Control

@Suite("Limits as they are configured")
struct LimitsTests {
    private static func entryPoint(_ transport: String) throws -> EntryPointLimits {
        let configuration = try ReplicaConfiguration.read(
            "entryPoints: { web: { address: ':80', transport: \(transport) } }")
        return EntryPoint(configuration.entryPoints[0], index: 0).limits
    }

    @Test("of an entry point are those that its connections have")
    func entryPoint() throws {
        try #expect(Self.entryPoint("") == EntryPointLimits(), "the defaults of both differ")
        var expected = EntryPointLimits()
        (expected.headTimeout, expected.readTimeout) = (.milliseconds(1500), .seconds(2))
        (expected.bodyGapTimeout, expected.writeTimeout) = (.seconds(3), .seconds(4))
        (expected.idleTimeout, expected.keepAliveMaxTime) = (.seconds(5), .seconds(6))
        expected.keepAliveMaxRequests = 7
        let configured = try Self.entryPoint(
            """
            { respondingTimeouts: { headTimeout: 1500ms, readTimeout: 2, bodyGapTimeout: 3, writeTimeout: 4,
              idleTimeout: 5 }, keepAliveMaxTime: 6, keepAliveMaxRequests: 7 }
            """)
        #expect(configured == expected)
    }
}
