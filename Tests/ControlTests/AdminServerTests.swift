import Affinity
import NIOPosix
import Testing

@testable import Control

@Suite("The admin listener")
struct AdminServerTests {
    private struct Source: MetricsSource {
        let numbers: MetricsSnapshot

        func snapshot() async -> MetricsSnapshot { numbers }
    }

    private static func with(
        _ numbers: MetricsSnapshot = MetricsSnapshot(), _ body: (Int, ReplicaPhase) async throws -> Void
    ) async throws {
        let phase = ReplicaPhase()
        let server = try await AdminServer.start(
            on: ListenAddress(host: "127.0.0.1", port: 0), group: MultiThreadedEventLoopGroup.singleton, replica: "r1",
            phase: phase, source: Source(numbers: numbers))
        try await body(server.listener.address.port, phase)
        await server.listener.stop()
    }

    @Test("tells the phases of a replica apart")
    func phases() async throws {
        try await Self.with { port, phase in
            #expect(try await Loopback.ask(port, "/ping").status == 200)
            #expect(try await Loopback.ask(port, "/ready").status == 503)
            phase.serve()
            let ping = try await Loopback.ask(port, "/ping")
            #expect(ping.status == 200 && ping.body == "OK")
            #expect(try await Loopback.ask(port, "/ready?x").status == 200)
            phase.stop()
            #expect(try await Loopback.ask(port, "/ping").status == 503)
            #expect(try await Loopback.ask(port, "/ready").status == 503)
            #expect(try await Loopback.ask(port, "/metrics").status == 200)
            phase.serve()
            #expect(phase.current == .stopping)
        }
    }

    @Test("answers GET and HEAD, and nothing else")
    func methods() async throws {
        try await Self.with { port, _ in
            let head = try await Loopback.ask(port, "/ping", method: "HEAD")
            #expect(head.status == 200 && head.body.isEmpty && head.head.contains("Content-Length: 2"))
            for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
                let answer = try await Loopback.ask(port, "/ping", method: method, body: "x")
                #expect(answer.status == 405 && answer.head.contains("Allow: GET, HEAD"))
            }
            #expect(try await Loopback.ask(port, "/").status == 404)
            #expect(try await Loopback.ask(port, "/ping/").status == 404)
            #expect(try await Loopback.ask(port, "/nothing", method: "POST").status == 404)
        }
    }

    @Test("serves several requests on one connection, in order")
    func keepAlive() async throws {
        try await Self.with { port, phase in
            phase.serve()
            let two =
                "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\nGET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            let text = try await Loopback.exchange(port, two)
            #expect(text.ranges(of: "HTTP/1.1 200 OK").count == 2)
            #expect(text.hasSuffix("OK"))
        }
    }

    @Test("says who listens where already")
    func portInUse() async throws {
        try await Self.with { port, phase in
            let address = ListenAddress(host: "127.0.0.1", port: port)
            let error = await #expect(throws: ListenError.self) {
                _ = try await AdminServer.start(
                    on: address, group: MultiThreadedEventLoopGroup.singleton, replica: "r2", phase: phase,
                    source: Source(numbers: MetricsSnapshot()))
            }
            #expect(error?.description == "cannot listen on 127.0.0.1:\(port): another process listens there already")
        }
    }

    @Test("shows every metric in Prometheus's format")
    func metrics() async throws {
        try await Self.with(MetricsSample.numbers) { port, _ in
            let answer = try await Loopback.ask(port, "/metrics")
            #expect(answer.head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8"))
            for metric in Metric.allCases {
                #expect(answer.body.ranges(of: "# HELP \(metric.rawValue) ").count == 1)
                #expect(answer.body.ranges(of: "# TYPE \(metric.rawValue) \(metric.kind.rawValue)\n").count == 1)
            }
        }
    }
}
