import Affinity
import Configuration
import NIOPosix
import Testing

@testable import Control

@Suite("The admin listener")
struct AdminServerTests {
    private static func with(
        _ numbers: MetricsSnapshot = MetricsSnapshot(), _ body: (Int, ReplicaPhase) async throws -> Void
    ) async throws {
        let phase = ReplicaPhase()
        let server = try await AdminServer.start(
            on: ListenAddress(host: "127.0.0.1", port: 0), group: MultiThreadedEventLoopGroup.singleton, replica: "r1",
            phase: phase, source: AdminSourceSample(numbers: numbers))
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
                    source: AdminSourceSample())
            }
            #expect(error?.description == "cannot listen on 127.0.0.1:\(port): address already in use")
        }
    }

    @Test("says that a host has no address")
    func unknownHost() async throws {
        let address = ListenAddress(host: "nowhere.invalid", port: 0)
        let error = await #expect(throws: ListenError.self) {
            _ = try await AdminServer.start(
                on: address, group: MultiThreadedEventLoopGroup.singleton, replica: "r", phase: ReplicaPhase(),
                source: AdminSourceSample())
        }
        #expect(error?.description == "cannot listen on nowhere.invalid:0: host nowhere.invalid has no address")
    }

    @Test("shows the fleet as JSON in every phase, to be read and not to be changed")
    func fleet() async throws {
        try await Self.with { port, phase in
            let answer = try await Loopback.ask(port, "/api/fleet")
            #expect(answer.status == 200 && answer.head.contains("Content-Type: application/json"))
            #expect(try FleetView(json: Array(answer.body.utf8)) == FleetSample.view)
            let head = try await Loopback.ask(port, "/api/fleet", method: "HEAD")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(head.head.contains("Content-Length: \(answer.body.utf8.count)"))
            for method in ["POST", "PUT", "DELETE", "PATCH"] {
                #expect(try await Loopback.ask(port, "/api/fleet", method: method, body: "{}").status == 405)
            }
            for path in ["/api", "/api/", "/api/fleet/", "/api/sessions"] {
                #expect(try await Loopback.ask(port, path).status == 404)
            }
            phase.stop()
            #expect(try await Loopback.ask(port, "/api/fleet").status == 200)
        }
    }

    @Test("says so where what it is asked for cannot be written down")
    func unwritable() async throws {
        var source = AdminSourceSample()
        source.view.replicas[0].heard = .nan
        let server = try await AdminServer.start(
            on: ListenAddress(host: "127.0.0.1", port: 0), group: MultiThreadedEventLoopGroup.singleton, replica: "r1",
            phase: ReplicaPhase(), source: source)
        #expect(try await Loopback.ask(server.listener.address.port, "/api/fleet").status == 503)
        await server.listener.stop()
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
