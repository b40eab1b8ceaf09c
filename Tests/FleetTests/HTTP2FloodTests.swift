import Foundation
import HTTP2Wire
import LimpetTestKit
import Testing

private enum FloodSettings {
    /// How long there is each flood; `LIMPET_FLOOD_SECONDS` says otherwise.
    static let seconds = ProcessInfo.processInfo.environment["LIMPET_FLOOD_SECONDS"].flatMap(Double.init) ?? 1.5
    static let rounds = 5
    /// A p99 of less says little of the replica: the machine does other things, too, and a debug build is slow.
    static let floor = LimpetProgram.releasePath == nil ? 100.0 : 25.0
}

/// Not a part of `FleetTests`, whose limit of time would end it. `scripts/soak --floods` runs it for longer.
@Suite("Floods of HTTP/2 frames", .serialized, .timeLimit(.minutes(Int(FloodSettings.seconds / 5) + 3)))
struct HTTP2FloodTests {
    /// Requests on one connection, so many a second at most. For one thread.
    private final class Canary {
        private static let rate = 250.0
        private let client: HTTP2Client

        init(port: Int) throws { client = try HTTP2Client(port: port) }

        /// How many requests have been answered.
        private(set) var count = 0

        /// The p99 of requests during this time, in milliseconds. A slow answer does not count for those after it: they
        /// would say how much the canary asks for.
        func p99(for seconds: Double) throws -> Double {
            let end = ContinuousClock.now + .seconds(seconds)
            var latencies: [Double] = []
            while ContinuousClock.now < end {
                let begin = ContinuousClock.now
                guard let stream = try client.send(), try client.response(to: stream).status == 200 else {
                    throw Unexpected(description: "the canary is not served")
                }
                let latency = (ContinuousClock.now - begin) / .seconds(1)
                latencies.append(latency * 1000)
                Thread.sleep(forTimeInterval: max(0, 1 / Self.rate - latency))
            }
            count += latencies.count
            return latencies.sorted()[latencies.count * 99 / 100]
        }
    }

    /// What became of one flood, and of the canary beside it.
    private struct Outcome: Sendable {
        var p99s: [Double] = []
        var connections = 0
        /// That began.
        var requests = 0
    }

    private static func median(_ values: [Double]) -> Double {
        values.sorted()[values.count / 2]
    }

    private static let dynamic = """
        http:
          routers:
            app: { rule: "PathPrefix(`/`)", service: app }
            attacked: { rule: "Path(`/attacked`)", service: attacked }
          services:
            app: { loadBalancer: { servers: [{ url: "B0" }] } }
            attacked: { loadBalancer: { servers: [{ url: "B1" }] } }

        """

    @Test("on four connections end each of them in time, cost little, and delay nobody else")
    func floods() async throws {
        try await Threads.run {
            let routed = try RoutedReplica(backends: 2, Self.dynamic)
            defer { _ = routed.end() }
            try Self.flood(routed.replica)
        }
    }

    private static func requests(_ replica: LimpetProcess) throws -> Int {
        Int(try replica.metric("limpet_http2_requests_total") ?? 0)
    }

    private static func flood(_ replica: LimpetProcess) throws {
        let canary = try Canary(port: replica.port)
        var idle: [Double] = []
        var outcomes: [FloodFrames: Outcome] = [:]
        var warm: ProcessStatus?
        let part = FloodSettings.seconds / Double(FloodSettings.rounds)
        for _ in 0..<FloodSettings.rounds {
            for kind in FloodFrames.allCases {
                try idle.append(canary.p99(for: max(0.2, part / 4)))
                let before = try requests(replica) - canary.count
                let attack = FloodAttack(kind, port: replica.port)
                let p99 = Result { try canary.p99(for: part) }
                outcomes[kind, default: Outcome()].connections += try attack.stop()
                try outcomes[kind]?.p99s.append(p99.get())
                outcomes[kind]?.requests += try requests(replica) - canary.count - before
            }
            // The first round makes what is made once.
            if warm == nil { warm = try ProcessStatus(replica.process.pid) }
        }
        let status = try ProcessStatus(replica.process.pid)
        try check(outcomes, idle: median(idle), replica)
        let first = try #require(warm)
        print("floods: \(first.resident >> 10) → \(status.resident >> 10) KiB")
        #expect(status.resident <= first.resident + 16 << 20)
    }

    private static func check(_ outcomes: [FloodFrames: Outcome], idle: Double, _ replica: LimpetProcess) throws {
        print("floods: idle p99 \(idle) ms")
        for (kind, outcome) in outcomes.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            let p99 = median(outcome.p99s)
            print(
                "floods: \(kind): \(outcome.connections) connections, \(outcome.requests) requests, "
                    + "p99s \(outcome.p99s.map { String(format: "%.1f", $0) }) ms")
            #expect(p99 <= 2 * max(idle, FloodSettings.floor), "\(kind)")
            // What is tolerated at once, and what is for the time that it takes.
            #expect(outcome.requests <= outcome.connections * 1100, "\(kind)")
        }
        let ended = outcomes.filter { !$0.key.isMistake }.map(\.value.connections).reduce(0, +)
        let counted = try HTTP2Flood.allCases.map { flood in
            try replica.metric("limpet_http2_floods_total{kind=\"\(flood.rawValue)\"}") ?? 0
        }
        #expect(counted.reduce(0, +) == Double(ended))
        let lines = replica.errorLog.split(separator: "\n").filter {
            $0.contains("A client flooded its HTTP/2 connection")
        }
        #expect(lines.allSatisfy { $0.contains("\"client\":\"127.0.0.1\"") })
        let logged = HTTP2Flood.allCases.map { flood in
            lines.count { $0.contains("\"kind\":\"\(flood.rawValue)\"") }
        }
        // Each kind, and no more than once a minute.
        #expect(zip(counted, logged).allSatisfy { ($0 > 0) == ($1 > 0) })
        let minutes = FloodSettings.seconds * 2 * Double(FloodFrames.allCases.count) / 60
        #expect(logged.allSatisfy { $0 <= 2 + Int(minutes) }, "\(logged)")
    }
}
