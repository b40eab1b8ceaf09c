import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// Heap allocations of an optimised replica, counted by a library that is preloaded into it: `scripts/allocations`
    /// builds both and names them.
    @Suite(
        "Allocations",
        .enabled(if: AllocationCounter.libraryPath != nil, "LIMPET_ALLOCATION_COUNTER is not set: scripts/allocations"),
        .enabled(if: LimpetProgram.releasePath != nil, "LIMPET_RELEASE_BIN is not set: scripts/allocations"))
    struct AllocationTests {
        private static let connections = 64
        private static let sessions = 1000
        private static let rounds = 100
        private static let windows = 5
        private static let bodyLength = 100

        /// The requests that are counted; their names are those of the thresholds.
        enum Kind: String, CaseIterable, CustomTestStringConvertible {
            /// A GET, its session key a header.
            case header
            /// A GET with our own cookie.
            case cookie
            /// A POST with a small body, its session key a header.
            case post

            var testDescription: String { rawValue }
        }

        @Test(
            "a request of a session that the cache knows allocates no more than its threshold", arguments: Kind.allCases
        )
        func cachedRequest(_ kind: Kind) async throws {
            let threshold = try AllocationCounter.threshold(of: kind.rawValue)
            let count = try await Threads.run { try Self.allocationsPerRequest(kind) }
            print("allocations of a cached request, \(kind): \(String(format: "%.3f", count)), at most \(threshold)")
            #expect(count <= threshold)
            #expect(count > threshold - 0.5, "the threshold can be lowered")
        }

        /// Without what the replica allocates by itself in the same time: the median of several windows, since now
        /// and then it does more by itself, as when it scans the store after its heartbeats were late.
        private static func allocationsPerRequest(_ kind: Kind) throws -> Double {
            let setting = try CountedReplica()
            defer { setting.end() }
            let clients = try (0..<connections).map { _ in try TCPSocket(port: setting.replica.port) }
            let requests = try (0..<sessions).map { try request(kind, session: $0, setting.replica.port) }
            let length = try responseLength(of: requests[0], over: clients[0])
            // All sessions are learnt, all connections to backends made, all buffers as large as they get.
            try run(clients, requests, rounds: 3 * sessions / connections, length)
            let decided = try setting.decidedByCache()
            let counts = try (0..<windows).map { _ in
                try allocationsPerRequest(setting) { try run(clients, requests, rounds: rounds, length) }
            }
            let cached = try setting.decidedByCache() - decided
            guard cached >= Double(windows * rounds * connections) * 0.9 else {
                throw Unexpected(description: "the cache decided \(cached) requests alone")
            }
            return counts.sorted()[windows / 2]
        }

        private static func allocationsPerRequest(_ setting: CountedReplica, _ run: () throws -> Void) throws -> Double
        {
            let quiet = 0.5
            let before = try setting.counter.count()
            Thread.sleep(forTimeInterval: quiet)
            let begin = ContinuousClock.now
            let middle = try setting.counter.count()
            try run()
            let after = try setting.counter.count()
            let seconds = (ContinuousClock.now - begin) / .seconds(1)
            let byItself = Double(middle - before) / quiet * seconds
            return (Double(after - middle) - byItself) / Double(rounds * connections)
        }

        private static func request(_ kind: Kind, session: Int, _ port: Int) throws -> [UInt8] {
            var request = HTTPRequest(
                "GET", "/bytes?n=\(bodyLength)", fields: ["User-Agent": "bench/1.0", "Accept": "*/*"],
                host: "bench.example")
            switch kind {
            case .header, .post:
                request.fields["X-Session-ID"] = "session-\(10_000 + session)-0123456789abcdef"
            case .cookie:
                request.fields["Cookie"] = try HTTPConnection(port: port).exchange(request).cookie
            }
            if kind == .post {
                request.method = "POST"
                request.body = Array(repeating: UInt8(ascii: "x"), count: 100)
            }
            return request.bytes
        }

        /// The bytes of a response: the same for all, as the backends' names have the same length.
        private static func responseLength(of request: [UInt8], over client: TCPSocket) throws -> Int {
            try client.send(request)
            let head = try client.receive(until: "\r\n\r\n")
            try skip(bodyLength, of: client)
            return head.utf8.count + bodyLength
        }

        /// Each round sends one request over each connection, then reads all responses.
        private static func run(
            _ clients: [TCPSocket], _ requests: [[UInt8]], rounds: Int, _ length: Int
        ) throws {
            for round in 0..<rounds {
                for (index, client) in clients.enumerated() {
                    try client.send(requests[(round * clients.count + index) % requests.count])
                }
                for client in clients { try skip(length, of: client) }
            }
        }

        private static func skip(_ count: Int, of client: TCPSocket) throws {
            var left = count
            while left > 0 {
                let read = try client.receive(upTo: left).count
                guard read > 0 else { throw Unexpected(description: "the replica closed a connection") }
                left -= read
            }
        }
    }
}

/// A replica that counts its allocations, with a store and three backends.
private struct CountedReplica {
    let replica: LimpetProcess
    private let directory: String
    private let redis: RedisServer
    private let backends: [WhoamiProcess]
    let counter: AllocationCounter

    init() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("limpet-allocations-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        directory = folder.path
        let redis = try RedisServer()
        let backends = try ["b0", "b1", "b2"].map { try WhoamiProcess($0, in: folder.path) }
        counter = AllocationCounter(path: "\(folder.path)/count")
        let servers = backends.map { "{ url: \"http://127.0.0.1:\($0.port)\", name: \($0.name) }" }
        replica = try LimpetProcess("r0", in: folder.path, prefix: counter.prefix) { port, adminPort in
            """
            entryPoints:
              web: { address: "127.0.0.1:\(port)" }
              admin: { address: "127.0.0.1:\(adminPort)" }
            replica: { name: r0, threads: 1 }
            fleet: { secret: "\(Fleet.secret)" }
            store: { redis: { endpoints: ["redis://127.0.0.1:\(redis.port)/0"] } }
            log: { level: warning }
            http:
              routers: { app: { rule: "PathPrefix(`/`)", service: app } }
              services:
                app:
                  loadBalancer:
                    sticky: { header: X-Session-ID, cookie: {} }
                    servers: [ \(servers.joined(separator: ", ")) ]

            """
        }
        self.redis = redis
        self.backends = backends
        guard Waiting.until(within: 5, { [replica] in replica.usesStore }) else {
            throw Unexpected(description: "the store is not in use")
        }
    }

    /// Requests that were decided without the store.
    func decidedByCache() throws -> Double {
        try replica.metric("limpet_requests_total{service=\"app\",code=\"200\",provenance=\"cached\"}") ?? 0
    }

    func end() {
        replica.stop()
        replica.process.kill()
        for backend in backends { backend.process.kill() }
        redis.kill()
        try? FileManager.default.removeItem(atPath: directory)
    }
}
