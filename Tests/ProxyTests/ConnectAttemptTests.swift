import Affinity
import LimpetTestKit
import NIOCore
import NIOPosix
import Testing

@testable import Proxy

@Suite("Attempts to connect to a backend that accepts nobody")
struct ConnectAttemptTests {
    private static func options(_ connectTimeout: TimeAmount, isHTTP2: Bool = false) -> ProxyHarness.Options {
        .toHTTP2 {
            $0.backendsAreHTTP2 = isHTTP2
            $0.serviceLimits.pool.connectTimeout = connectTimeout
            $0.entryPoint.concurrentStreams = 10
        }
    }

    @Test(
        "are no more at once than requests have waited at once, however often a client resets them",
        arguments: [false, true])
    func resets(isHTTP2: Bool) async throws {
        let full = try FullListener()
        try await withProxy(to: [full.port], Self.options(.seconds(20), isHTTP2: isHTTP2)) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            for _ in 0..<30 {
                let streams = try (0..<10).map { _ in try #require(try client.send()) }
                for stream in streams { try client.reset(stream) }
            }
            let last = try #require(try client.send())
            try await #expect(eventually { try await proxy.counters().http2.requests == 301 })
            try await #expect(proxy.counters().requestsInFlight == 1)
            // To a backend of HTTP/2 one attempt serves all.
            #expect((1...(isHTTP2 ? 1 : 10)).contains(full.tries), "\(full.tries)")
            try client.reset(last)
            try await #expect(eventually { try await proxy.counters().requestsInFlight == 0 })
        }
    }

    @Test("leave a connection that the next requests use, if nobody waits for it any more", arguments: [false, true])
    func kept(isHTTP2: Bool) async throws {
        let full = try FullListener()
        try await withProxy(to: [full.port], Self.options(.seconds(20), isHTTP2: isHTTP2)) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let stream = try #require(try client.send())
            try await #expect(eventually { full.isTried })
            try client.reset(stream)
            try await #expect(eventually { try await proxy.counters().requestsInFlight == 0 })
            full.makeRoom()
            try await #expect(eventually { try await proxy.counters().backendConnections == 1 })
            try await Task.sleep(for: .milliseconds(200))
            try await #expect(proxy.counters().backendConnections == 1)
            guard !isHTTP2 else { return }
            let next = try #require(try client.send("GET", "/next"))
            full.answer(ok("kept"))
            try #expect(client.response(to: next).text == "kept")
            #expect(full.tries == 0)
        }
    }

    @Test("count against the backend only for who has waited the whole time")
    func inherited() async throws {
        let full = try FullListener()
        try await withProxy(to: [full.port], Self.options(.seconds(2))) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let first = try #require(try client.send())
            try await #expect(eventually { full.isTried })
            try client.reset(first)
            try await #expect(eventually { try await proxy.counters().requestsInFlight == 0 })
            let second = try #require(try client.send())
            try await #expect(
                eventually { try await proxy.counters().backendConnectFailures == 1 }, "the inherited attempt is over")
            try await #expect(proxy.counters().backendFailures["app"]?["b0"]?[.connectTimeout] ?? 0 == 0)
            try #expect(client.response(to: second).status == 503)
            try await #expect(proxy.counters().backendFailures["app"]?["b0"] == [.connectTimeout: 2])
            try await #expect(proxy.counters().backendConnectFailures == 3)
        }
    }

    @Test("tell nobody who leaves while another is told", arguments: [true, false])
    func leaving(succeeds: Bool) async throws {
        let backend = try HTTP2Backend { $0.ok("x") }
        let port = try succeeds ? backend.port : closedPort()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let told = loop.makePromise(of: Void.self)
        let (pool, second) = try await loop.submit {
            let pool = BackendPool(
                backend: Backend(name: "b", host: "127.0.0.1", port: port, isHTTP2: true), hash: BackendHash(bits: 1),
                state: BackendState(), limits: ServiceLimits(), loop: LoopOfItsOwn.context(on: loop))
            let second = Told()
            _ = pool.connect { result in
                second.wait?.leave()
                if case .success(let place) = result { place.end() }
                told.succeed()
            }
            second.wait = pool.connect { _ in second.count += 1 }
            return (NIOLoopBound(pool, eventLoop: loop), NIOLoopBound(second, eventLoop: loop))
        }.get()
        try await told.futureResult.get()
        let isUntold = try await loop.submit {
            second.value.count == 0 && pool.value.http2.all.allSatisfy { $0.load == 0 }
        }.get()
        #expect(isUntold)
        try await loop.submit { pool.value.retire() }.get()
        try await group.shutdownGracefully()
    }

    private final class Told {
        var wait: ConnectWait?
        var count = 0
    }
}
