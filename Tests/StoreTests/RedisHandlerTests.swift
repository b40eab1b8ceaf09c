import LimpetTestKit
import NIOCore
import NIOEmbedded
import TLS
import Testing

@testable import Store

@Suite("What the connections to Redis and to Sentinels do alike", .serialized)
struct RedisHandlerTests {
    private static let atOnce = "reason=the server closed the connection at once; it may be a TLS port"

    @Test("They greet as soon as the channel is active", arguments: [true, false])
    func greets(_ isActiveFirst: Bool) throws {
        let (channel, handler) = (EmbeddedChannel(), RecordingHandler())
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 6379)
        if isActiveFirst { try channel.connect(to: address).wait() }
        try channel.pipeline.syncOperations.addHandler(handler)
        #expect(handler.greetings == (isActiveFirst ? 1 : 0) && handler.context != nil)
        if !isActiveFirst { try channel.connect(to: address).wait() }
        #expect(handler.greetings == 1)
        _ = try channel.finish()
        #expect(handler.context == nil)
    }

    @Test("They end once, with the first reason, and close the channel")
    func endsOnce() throws {
        let (channel, handler) = (EmbeddedChannel(), RecordingHandler())
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 6379)).wait()
        try channel.pipeline.syncOperations.addHandler(handler)
        handler.end(.silent)
        handler.end(.late)
        #expect(!channel.isActive)
        _ = try channel.finish(acceptAlreadyClosed: true)
        #expect(handler.reasons == [.silent])
    }

    @Test("A Redis that resets the connection at the first commands may be a TLS port")
    func channelReset() async throws {
        let redis = try RedisServer()
        let proxy = try FaultProxy(target: redis.port)
        try proxy.receive(.subscribersReset)
        let driver = try ChannelDriver(.plain(port: proxy.port))
        try await eventually { driver.store.lines.all.contains { $0.contains(Self.atOnce) } }
        try await driver.stop()
        proxy.stop()
    }

    @Test("A Sentinel that resets the connection at the first commands may be a TLS port")
    func sentinelReset() async throws {
        let server = try ScriptedBackend { connection, _ in
            _ = try connection.receive()
            connection.reset()
        }
        defer { server.close() }
        let driver = try SentinelDriver([server.port])
        try await eventually { driver.count("A Sentinel cannot name the primary.") > 0 }
        #expect(driver.count(Self.atOnce) == 1, "\(driver.lines.all)")
        try await driver.stop()
    }

    @Test("A Redis that closes the connection at the first commands, over TLS, is not said to need TLS")
    func storeOverTLS() async throws {
        let server = try SilentTLSServer()
        var settings = try StoreSettings.plain(port: server.port)
        settings.endpoint.usesTLS = true
        settings.tls = .fixed(server.trust)
        settings.connectTimeout = .seconds(10)
        let driver = try StoreDriver.redis(settings)
        try await server.endConnection()
        try await eventually { !driver.lines.all.isEmpty }
        #expect(driver.lines.all[0].contains("reason=the server closed the connection store="), "\(driver.lines.all)")
        try await driver.stop()
    }

    @Test("A Sentinel that closes the connection at the first commands, over TLS, is not said to need TLS")
    func sentinelOverTLS() async throws {
        let server = try SilentTLSServer()
        var settings = SentinelDriver.settings(
            SentinelSettings(
                endpoints: [RedisEndpoint(address: .host("127.0.0.1", port: server.port), usesTLS: true)],
                primaryName: SentinelDeployment.primaryName, tls: .fixed(server.trust)))
        settings.connectTimeout = .seconds(10)
        let driver = try SentinelDriver(settings)
        try await server.endConnection()
        // The other connection is ended during its TLS handshake.
        try await eventually { driver.count("reason=the server closed the connection") > 0 }
        #expect(driver.count("reason=the server closed the connection sentinel=") == 1, "\(driver.lines.all)")
        try await driver.stop()
    }
}

/// Accepts one TLS connection at a time, and answers nothing over it.
private struct SilentTLSServer {
    let trust: ClientTLSSettings
    private let server: OpenSSLServer
    /// What it writes about the TLS messages that it sends and receives.
    private let messages: String

    var port: Int { server.port }

    init() throws {
        let directory = TemporaryFile.path()
        let authority = try TestAuthority(in: directory)
        messages = "\(directory)/messages"
        server = try OpenSSLServer(
            "silent", authority.issue("silent", "IP:127.0.0.1"), version: "tls1_3", ["-msg", "-msgfile", messages],
            in: directory)
        var trust = ClientTLSSettings()
        trust.authorities = try ServerCertificate.authorities(authority.root.certificateBytes)
        self.trust = trust
    }

    /// Ends all connections, the first one after its handshake.
    func endConnection() async throws {
        try await eventually {
            try TextFile.read(messages).split(separator: "\n").contains {
                $0.hasPrefix("<<< TLS 1.3, Handshake") && $0.hasSuffix("Finished")
            }
        }
        server.kill()
    }
}

private final class RecordingHandler: RedisHandler {
    let endpoint = RedisEndpoint(address: .host("127.0.0.1", port: 6379))
    var owner: Void? = ()
    var context: ChannelHandlerContext?
    let isServing = false
    private(set) var greetings = 0
    private(set) var reasons: [StoreError] = []

    func greet() { greetings += 1 }

    func ended(_ error: StoreError, of _: Void) { reasons.append(error) }
}
