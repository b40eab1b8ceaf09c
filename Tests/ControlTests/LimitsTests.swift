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

    @Test("of a service are those that its backends have; connections are the event loops' in equal shares")
    func service() throws {
        #expect(
            ServiceLimits(ServiceSettings(name: "s", targets: .servers([])), threads: 2) == ServiceLimits(),
            "the defaults of both differ")
        var settings = ServersTransportSettings()
        (settings.dialTimeout, settings.idleConnTimeout) = (.seconds(1), nil)
        (settings.responseHeaderTimeout, settings.responseGapTimeout) = (.seconds(2), .milliseconds(300))
        (settings.requestTimeout, settings.tunnelTimeout) = (.seconds(4), .seconds(5))
        (settings.readIdleTimeout, settings.pingTimeout) = (.seconds(6), .seconds(7))
        settings.maxIdleConnsPerHost = 10
        var expected = ServiceLimits()
        (expected.pool.connectTimeout, expected.pool.idleTimeout) = (.seconds(1), nil)
        (expected.exchange.responseHead, expected.exchange.responseGap) = (.seconds(2), .milliseconds(300))
        (expected.exchange.request, expected.exchange.tunnel) = (.seconds(4), .seconds(5))
        expected.pool.pings = PingLimits(after: .seconds(6), timeout: .seconds(7))
        expected.pool.idleConnections = 4
        var service = ServiceSettings(name: "s", targets: .servers([]))
        (service.transport, service.maxRequests) = (settings, 50)
        (service.queue.size, service.queue.timeout) = (20, .milliseconds(700))
        (expected.pool.maxRequests, expected.pool.queueSize) = (50, 20)
        expected.pool.queueTimeout = .milliseconds(700)
        #expect(ServiceLimits(service, threads: 3) == expected)
        service.transport.maxIdleConnsPerHost = 1
        #expect(ServiceLimits(service, threads: 64).pool.idleConnections == 1)
    }

    @Test("of a snapshot's services come from its configuration")
    func snapshot() throws {
        let configuration = try ReplicaConfiguration.read(
            """
            http:
              serversTransports: { t: { forwardingTimeouts: { responseHeaderTimeout: 30s } } }
              services: { a: { loadBalancer: { servers: [{ url: "http://a" }], serversTransport: t } } }
            """)
        let snapshot = try Snapshot(configuration, keys: FleetKeys(configuration.fleet))
        #expect(snapshot.services.map(\.limits.exchange.responseHead) == [.seconds(30)])
    }
}
