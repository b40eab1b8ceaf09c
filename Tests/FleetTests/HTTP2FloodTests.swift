import Foundation
import HTTP2Wire
import LimpetTestKit
import Synchronization
import Testing

private enum FloodSettings {
    /// How long there is each flood; `LIMPET_FLOOD_SECONDS` says otherwise.
    static let seconds = ProcessInfo.processInfo.environment["LIMPET_FLOOD_SECONDS"].flatMap(Double.init) ?? 1.2
    static let rounds = 3
    /// On a machine that does other things, too, a p99 of less says little of the replica.
    static let floor = 25.0
}

/// Not a part of `FleetTests`, whose limit of time would end it. `scripts/soak --floods` runs it for longer.
@Suite("Floods of HTTP/2 frames", .serialized, .timeLimit(.minutes(Int(FloodSettings.seconds / 5) + 3)))
struct HTTP2FloodTests {
    /// Requests on one connection at a fixed rate. For one thread.
    private final class Canary {
        private static let rate = 250.0
        private let client: HTTP2Client

        init(port: Int) throws { client = try HTTP2Client(port: port) }

        /// The p99 of requests for so long, in milliseconds, each from the moment at which it was to be sent.
        func p99(for seconds: Double) throws -> Double {
            let begin = ContinuousClock.now
            var latencies: [Double] = []
            for number in 0..<Int(seconds * Self.rate) {
                let due = begin + .seconds(Double(number) / Self.rate)
                let wait = (due - .now) / .seconds(1)
                if wait > 0 { Thread.sleep(forTimeInterval: wait) }
                guard let stream = try client.send(), try client.response(to: stream).status == 200 else {
                    throw Unexpected(description: "the canary is not served")
                }
                latencies.append((ContinuousClock.now - due) / .milliseconds(1))
            }
            return latencies.sorted()[latencies.count * 99 / 100]
        }
    }

    /// What became of one flood, and of the canary beside it.
    private struct Outcome: Sendable {
        var p99s: [Double] = []
        var connections = 0
        var upstream = 0
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    private static let dynamic = """
        http:
          routers:
            app: { rule: "PathPrefix(`/`)", service: app }
            attacked: { rule: "Path(`/attacked`)", service: attacked }
          services:
            app: { loadBalancer: { servers: [{ url: "B0" }] } }
            attacked: { loadBalancer: { servers: [{ url: "http://127.0.0.1:ATTACKED" }] } }

        """

    /// A backend that answers at once, and counts.
    private final class Attacked: Sendable {
        private let requests = Mutex(0)

        var count: Int { requests.withLock { $0 } }

        func serve() throws -> ScriptedBackend {
            try ScriptedBackend { connection, _ in
                while try !connection.receive().isEmpty {
                    self.requests.withLock { $0 += 1 }
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                }
            }
        }
    }

    @Test("on four connections end each of them in time, cost little, and delay nobody else")
    func floods() async throws {
        try await Threads.run {
            let attacked = Attacked()
            let backend = try attacked.serve()
            defer { backend.close() }
            let dynamic = Self.dynamic.replacingOccurrences(of: "ATTACKED", with: "\(backend.port)")
            let routed = try RoutedReplica(backends: 1, dynamic)
            defer { _ = routed.end() }
            try Self.flood(routed.replica, attacked)
        }
    }

    private static func flood(_ replica: LimpetProcess, _ attacked: Attacked) throws {
        let canary = try Canary(port: replica.port)
        var idle: [Double] = []
        var outcomes: [FloodFrames: Outcome] = [:]
        var warm: ProcessStatus?
        let part = FloodSettings.seconds / Double(FloodSettings.rounds)
        for _ in 0..<FloodSettings.rounds {
            for kind in FloodFrames.allCases {
                try idle.append(canary.p99(for: max(0.2, part / 4)))
                let before = attacked.count
                let attack = FloodAttack(kind, port: replica.port)
                let p99 = Result { try canary.p99(for: part) }
                outcomes[kind, default: Outcome()].connections += try attack.stop()
                try outcomes[kind]?.p99s.append(p99.get())
                outcomes[kind]?.upstream += attacked.count - before
            }
            // The first round makes what is made once.
            if warm == nil { warm = try ProcessStatus(replica.process.pid) }
        }
        let status = try ProcessStatus(replica.process.pid)
        try check(outcomes, idle: median(idle), replica)
        let first = try #require(warm)
        print("floods: \(first.resident >> 10) → \(status.resident >> 10) KiB")
        #expect(status.resident <= first.resident + first.resident / 4 + 16 << 20)
    }

    private static func check(_ outcomes: [FloodFrames: Outcome], idle: Double, _ replica: LimpetProcess) throws {
        print("floods: idle p99 \(idle) ms")
        for (kind, outcome) in outcomes.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            let p99 = median(outcome.p99s)
            print(
                "floods: \(kind): \(outcome.connections) connections, \(outcome.upstream) requests upstream, "
                    + "p99s \(outcome.p99s.map { String(format: "%.1f", $0) }) ms")
            #expect(p99 <= 2 * max(idle, FloodSettings.floor), "\(kind)")
            // What is tolerated at once, and what is for the time that it takes.
            #expect(outcome.upstream <= outcome.connections * 1100, "\(kind)")
        }
        for flood in Set(FloodFrames.allCases.compactMap(\.flood)) {
            let connections = outcomes.filter { $0.key.flood == flood }.map(\.value.connections).reduce(0, +)
            let name = "limpet_http2_floods_total{kind=\"\(flood.rawValue)\"}"
            #expect(try replica.metric(name) == Double(connections))
            let lines = replica.errorLog.split(separator: "\n").filter {
                $0.contains("A client flooded its HTTP/2 connection") && $0.contains("\"kind\":\"\(flood.rawValue)\"")
            }
            #expect(lines.count >= 1 && lines.allSatisfy { $0.contains("\"client\":\"127.0.0.1\"") })
            #expect(lines.count <= 1 + Int(2 * FloodSettings.seconds * 9 / 60))
        }
    }
}
