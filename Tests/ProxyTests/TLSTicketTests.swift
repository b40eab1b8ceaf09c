import Crypto
import LimpetTestKit
import NIOCore
import NIOPosix
import Testing

@testable import Proxy

@Suite("Sessions of TLS", .serialized)
struct TLSTicketTests {
    private static func options(_ change: (inout ProxyHarness.Options) -> Void) -> ProxyHarness.Options {
        var options = ProxyHarness.Options()
        change(&options)
        return options
    }

    /// Expects that a session that began at the first is resumed at the second, or is not.
    private static func expectResumed(
        _ expected: Bool, _ first: TLSServing, _ second: TLSServing, _ version: String,
        at location: SourceLocation = #_sourceLocation
    ) async throws {
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send(ok("yes"))
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port], options { $0.tls = first }) { one in
            try await withProxy(to: [backend.port], options { $0.tls = second }) { other in
                var connections = [one, other].map {
                    TLSClient.Connection(port: $0.port, serverName: "shop.example", version: version)
                }
                connections[1].resumes = 0
                let outcomes = try TLSClient.run(connections)
                #expect(outcomes.map(\.body) == ["yes", "yes"] && outcomes[0].isResumed == false)
                #expect(outcomes[1].isResumed == expected, sourceLocation: location)
            }
        }
    }

    @Test("that began at one replica are resumed at another", arguments: ["TLSv1_2", "TLSv1_3"])
    func shared(_ version: String) async throws {
        let served = try TLSServed("DNS:shop.example")
        try await Self.expectResumed(true, served.serving(), served.serving(), version)
    }

    @Test(
        "are not resumed under another fleet secret, under other options, or where tickets are switched off",
        arguments: ["TLSv1_2", "TLSv1_3"])
    func notShared(_ version: String) async throws {
        let served = try TLSServed("DNS:shop.example")
        try await Self.expectResumed(false, served.serving(), served.serving(secret: 6), version)
        var stricter = TLSOptions()
        stricter.curves = [.p256]
        try await Self.expectResumed(false, served.serving(), served.serving([stricter]), version)
        let renamed = TLSOptions(name: "other")
        try await Self.expectResumed(false, served.serving(), served.serving([renamed]), version)
        var without = TLSOptions()
        without.issuesTickets = false
        try await Self.expectResumed(false, served.serving([without]), served.serving([without]), version)
    }

    @Test(
        "outlast one change of the period, in either direction, and no more", arguments: ["TLSv1_2", "TLSv1_3"])
    func rotation(_ version: String) async throws {
        let served = try TLSServed("DNS:shop.example")
        let (start, period) = (1_800_000_000 as Int64, TicketKeys.periodSeconds)
        try await withServers(served, at: [0, 1, 2, 3, -1].map { start + $0 * period }) { ports in
            // Each offers the session that it got last: first at hour 0, then 12, 24 (renewed at 12), and so on.
            var connections = (ports + [ports[0], ports[2], ports[4]]).map {
                TLSClient.Connection(port: $0, serverName: "shop.example", version: version)
            }
            for (index, earlier) in [1: 0, 2: 1, 3: 0, 5: 4, 6: 0, 7: 1] { connections[index].resumes = earlier }
            let resumed = try TLSClient.run(connections).map(\.isResumed)
            // 0 → 12 h; a ticket renewed at 12 → 24 h; 0 → 36 h is too old; −12 → 0; 0 → 24 h is too old;
            // a ticket of 12 at −12 is of too late a period.
            #expect(resumed == [false, true, true, false, false, true, false, false])
        }
    }

    /// Servers that live at these times, and say hello.
    private func withServers(
        _ served: TLSServed, at times: [Int64], _ body: ([Int]) throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var channels: [any Channel] = []
        for time in times {
            guard case .context(let context) = served.serving().select("shop.example", entryPoint: 0, now: time) else {
                Issue.record("no context")
                return
            }
            channels.append(
                try await ServerBootstrap(group: group)
                    .childChannelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandlers([context.makeHandler(), Greeting()])
                        }
                    }
                    .bind(host: "127.0.0.1", port: 0).get())
        }
        let result = Result { try body(channels.map { $0.localAddress?.port ?? 0 }) }
        try await group.shutdownGracefully()
        try result.get()
    }
}

/// Answers whatever comes, and closes.
private final class Greeting: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "hello")), promise: nil)
        context.close(promise: nil)
    }
}
