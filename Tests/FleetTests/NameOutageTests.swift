import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite(
        "A name server does not answer",
        .enabled(if: HostNames.obstacle == nil, "\(HostNames.obstacle ?? "")"))
    struct NameOutageTests {
        /// A replica with two backends and a store, all by name. What else they are is up to the name server.
        private struct Setting {
            let server: NameServer
            let backends: [ScriptedBackend]
            let redis: RedisServer
            let replica: LimpetProcess
        }

        /// Answers one request with its name, and closes: each request needs a connection of its own.
        private static func backend(_ name: String, port: Int = 0, host: UInt8 = 1) throws -> ScriptedBackend {
            try ScriptedBackend(port: port, host: host) { connection, _ in
                _ = try connection.receive(until: "\r\n\r\n")
                try connection.send(
                    "HTTP/1.1 200 OK\r\nX-Backend: \(name)\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            }
        }

        /// - Parameter hosts: names that are known without the name server.
        private static func with(
            hosts: [String], threads: Int = 2, _ prepare: (NameServer) -> Void = { _ in },
            _ body: (Setting) throws -> Void
        ) throws {
            let directory = FileManager.default.temporaryDirectory
                .appendingPathComponent("limpet-names-\(UInt64.random(in: 0 ... .max))").path
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: directory) }
            let server = try NameServer()
            prepare(server)
            let backends = try [backend("web-1"), backend("web-2")]
            defer { backends.forEach { $0.close() } }
            let redis = try RedisServer()
            defer { redis.kill() }
            let names = try HostNames(in: directory, hosts: hosts, nameServer: server.address)
            let replica = try LimpetProcess("r", in: directory, prefix: names.prefix) { port, adminPort in
                let servers = zip(["web-1", "web-2"], backends)
                    .map { "{ url: \"http://\($0):\($1.port)\", name: \($0) }" }.joined(separator: ", ")
                return """
                    entryPoints:
                      web: { address: "127.0.0.1:\(port)" }
                      admin: { address: "127.0.0.1:\(adminPort)" }
                    replica: { name: r, threads: \(threads) }
                    fleet: { secret: "\(Fleet.secret)", namespace: \(Fleet.namespace) }
                    store: { lease: 1s, redis: { endpoints: ["redis://redis:\(redis.port)"], commandTimeout: 800ms } }
                    http:
                      routers: { a: { rule: "PathPrefix(`/`)", service: a } }
                      services: { a: { loadBalancer: { sticky: { header: X-S }, servers: [ \(servers) ] } } }
                    """
            }
            try body(Setting(server: server, backends: backends, redis: redis, replica: replica))
            #expect(replica.stop() == .exited(0))
        }

        private static func serve(_ session: String, by replica: LimpetProcess) throws -> HTTPResponse {
            try HTTPConnection(port: replica.port)
                .exchange(HTTPRequest("GET", "/", fields: ["X-S": session, "Connection": "close"]))
        }

        private static func isUp(_ backend: String, _ replica: LimpetProcess) throws -> Bool {
            try replica.metric("limpet_backend_up{service=\"a\",backend=\"\(backend)\"}") == 1
        }

        @Test("one name that cannot be found out takes down nothing but its own backend", arguments: [1, 4])
        func oneName(threads: Int) async throws {
            try await Threads.run {
                try Self.with(hosts: ["localhost", "redis", "web-1"], threads: threads) { setting in
                    let replica = setting.replica
                    #expect(Waiting.until(within: 5) { replica.usesStore })
                    // Until one has met the backend whose name is not found, and for a second look-up after that.
                    var count = 0
                    let isDown = try Waiting.until(within: 10) {
                        count += 1
                        let answer = try Self.serve("k\(count)", by: replica)
                        #expect(answer.status == 200 && answer["X-Backend"] == "web-1")
                        return try !Self.isUp("web-2", replica)
                    }
                    #expect(isDown)
                    let end = ContinuousClock.now + .seconds(2)
                    while ContinuousClock.now < end {
                        count += 1
                        let answer = try Self.serve("k\(count)", by: replica)
                        #expect(answer.status == 200 && answer["X-Backend"] == "web-1")
                        usleep(20_000)
                    }
                    try #expect(Self.isUp("web-1", replica))
                    setting.redis.kill()
                    #expect(Waiting.until(within: 5) { replica.isWithoutStore })
                    try setting.redis.start()
                    #expect(Waiting.until(within: 5) { replica.usesStore }, "the store is reached by its name")
                }
            }
        }

        @Test("names that are known go on without an error, the store's too, and a name that comes back is used")
        func knownNames() async throws {
            let prepare: @Sendable (NameServer) -> Void = { server in
                for name in ["web-1", "web-2", "redis"] { server.set(name, .address(1)) }
            }
            try await Threads.run {
                try Self.with(hosts: ["localhost"], prepare) { setting in
                    let replica = setting.replica
                    #expect(Waiting.until(within: 5) { replica.usesStore })
                    var seen: Set<String> = []
                    for number in 0..<30 {
                        seen.insert(try Self.serve("k\(number)", by: replica)["X-Backend"] ?? "")
                    }
                    #expect(seen == ["web-1", "web-2"])
                    // Until what was answered is not fresh any more.
                    setting.server.setSilent(true)
                    usleep(1_100_000)
                    let end = ContinuousClock.now + .seconds(2.5)
                    var count = 0
                    var waits: [Duration] = []
                    while ContinuousClock.now < end {
                        count += 1
                        let start = ContinuousClock.now
                        try #expect(Self.serve("k\(count)", by: replica).status == 200)
                        waits.append(ContinuousClock.now - start)
                    }
                    // A busy machine holds up one; a replica that waits for the name server, all of that moment.
                    let worst = waits.sorted().suffix(2)
                    #expect(count > 20 && worst.allSatisfy { $0 < .seconds(3) }, "\(count) requests, \(worst)")
                    #expect(worst.first.map { $0 < .milliseconds(900) } == true, "\(count) requests, \(worst)")
                    for name in ["web-1", "web-2"] { try #expect(Self.isUp(name, replica)) }
                    setting.redis.kill()
                    #expect(Waiting.until(within: 5) { replica.isWithoutStore })
                    try setting.redis.start()
                    #expect(Waiting.until(within: 5) { replica.usesStore }, "the store is reached by its last address")
                }
            }
        }

        @Test("a name that is given another address is followed within two seconds")
        func movedName() async throws {
            let prepare: @Sendable (NameServer) -> Void = { server in
                for name in ["web-1", "redis"] { server.set(name, .address(1)) }
                server.set("web-2", .absent)
            }
            try await Threads.run {
                try Self.with(hosts: ["localhost"], prepare) { setting in
                    let replica = setting.replica
                    try #expect(Self.serve("k", by: replica)["X-Backend"] == "web-1")
                    let other = try Self.backend("moved", port: setting.backends[0].port, host: 2)
                    defer { other.close() }
                    setting.server.set("web-1", .address(2))
                    let isFollowed = try Waiting.until(within: 2) {
                        let answer = try Self.serve("k", by: replica)
                        #expect(answer.status == 200)
                        return answer["X-Backend"] == "moved"
                    }
                    #expect(isFollowed)
                }
            }
        }
    }
}
