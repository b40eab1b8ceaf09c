import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("Reloading")
    struct ReloadTests {
        private static let sessions = (0..<90).map { "session-\($0)" }

        private static func options(
            replicas: Int = 1, backends: Int = 1, store: Fleet.Store? = nil, _ dynamic: Fleet.Dynamic = .init()
        ) -> Fleet.Options {
            Fleet.Options(replicas: replicas, backends: backends, store: store, dynamic: dynamic)
        }

        /// One router and the service that it needs.
        private static func route(_ name: String, to fleet: Fleet, path: String? = nil) -> String {
            """
            http:
              routers:
                \(name): { rule: "PathPrefix(`/\(path ?? name)`)", service: \(name) }
              services:
                \(name): { loadBalancer: { servers: [ { url: "http://127.0.0.1:\(fleet.backends[0].port)" } ] } }

            """
        }

        // MARK: What survives

        @Test("a changed file changes routes; sessions, counters and the health of backends stay")
        func survival() async throws {
            try await withFleet(Self.options(replicas: 2, backends: 3, store: .running([]))) { fleet in
                let home = try await fleet.agreement(on: Self.sessions)
                fleet.backends[2].process.kill()
                let moved = try await fleet.agreement(after: home, lost: "b2")
                try await Threads.run {
                    let client = FleetClient(fleet)
                    let down = "limpet_backend_up{service=\"app\",backend=\"b2\"}"
                    #expect(try fleet.replicas.allSatisfy { try $0.metric(down) == 0 })
                    let counted = "limpet_requests_total{service=\"app\",code=\"200\",provenance=\"cached\"}"
                    let before = try fleet.replicas.map { try $0.metric(counted) ?? 0 }
                    fleet.change { $0.drainingBackends = ["b1"] }
                    try fleet.say(fleet.http.replacing("`/other`", with: "`/another`"))
                    #expect(try fleet.allReloaded(since: [0, 0]))
                    #expect(try fleet.replicas.allSatisfy { try $0.metric(down) == 0 })
                    for (replica, count) in zip(fleet.replicas, before) {
                        #expect(try replica.metric(counted) ?? 0 >= count)
                    }
                    let newcomers = try client.backends(of: (0..<20).map { "later-\($0)" })
                    #expect(Set(newcomers.values) == ["b0"])
                    // They were told of it, and did not happen to look.
                    #expect(fleet.replicas.allSatisfy { !$0.errorLog.contains("notifications are unavailable") })
                }
                try await #expect(fleet.agreement(on: Self.sessions) == moved)
                let services = try fleet.replicas[0].json("/api/http/services/app")
                let status = try #require(services["serverStatus"] as? [String: String])
                #expect(status.values.sorted() == ["DOWN", "UP", "UP"])
            }
        }

        @Test("connections to backends are kept and used again")
        func pooled() async throws {
            let backend = try ScriptedBackend { connection, _ in
                while true {
                    _ = try connection.receive(until: "\r\n\r\n")
                    try connection.send("HTTP/1.1 200 OK\r\nX-Backend: own\r\nContent-Length: 0\r\n\r\n")
                }
            }
            defer { backend.close() }
            var options = Self.options(backends: 0)
            options.ownBackends = [backend.port]
            try await withFleet(options) { fleet in
                try await Threads.run {
                    // One connection, and so one event loop.
                    let client = FleetClient(fleet)
                    _ = try client.backend(of: "s", at: 0)
                    for number in 1...5 {
                        try fleet.say(fleet.http.replacing("`/other`", with: "`/other\(number)`"))
                        #expect(try fleet.allReloaded(since: [Double(number - 1)]))
                        _ = try client.backend(of: "s", at: 0)
                    }
                }
                #expect(backend.connectionCount == 1)
            }
        }

        @Test("a hundred reloads under load: no request fails, no session moves")
        func underLoad() async throws {
            try await withFleet(Self.options(replicas: 2, backends: 3, store: .running([]))) { fleet in
                let home = try await fleet.agreement(on: Self.sessions)
                let load = FixedRate(rate: 300, threads: 12)
                let samples = try await fleet.underLoad(load) { number in
                    (Self.sessions[number % Self.sessions.count], number / 3 % 2)
                } _: { _ in
                    for number in 1...100 {
                        let before = try fleet.replicas.map { try $0.reloads() }
                        try fleet.say(fleet.http.replacing("`/other`", with: "`/other\(number)`"))
                        #expect(try fleet.allReloaded(since: before))
                    }
                }
                print("100 reloads: \(samples.figures)")
                #expect(samples.failures.isEmpty)
                #expect(samples.backends.filter { $0.value != home[$0.key].map { [$0] } }.isEmpty)
                #expect(try fleet.replicas.allSatisfy { try $0.reloads() == 100 })
                try await #expect(fleet.agreement(on: Self.sessions) == home)
            }
        }

        // MARK: Mistakes

        @Test(
            "a broken file changes nothing; log, metrics and overview say where the mistake is; mended, it takes effect"
        )
        func broken() async throws {
            try await withFleet(Self.options()) { fleet in
                let replica = fleet.replicas[0]
                try await Threads.run {
                    try fleet.say(fleet.http.replacing("PathPrefix(`/other`)", with: "PathPrefx(`/other`)"))
                    #expect(try replica.refuses())
                }
                let place = "\(fleet.directory)/dynamic.yml:3:20: http.routers.other.rule: "
                #expect(Waiting.until(within: 5) { replica.errorLog.contains(place) })
                #expect(try replica.refusals() == 1)
                let overview = try replica.json("/api/overview")
                let configuration = try #require(overview["configuration"] as? [String: Any])
                let mistakes = try #require(configuration["mistakes"] as? [[String: Any]])
                #expect(mistakes.count == 1)
                #expect(mistakes.first?["line"] as? Int == 3 && mistakes.first?["column"] as? Int == 20)
                #expect(mistakes.first?["key"] as? String == "http.routers.other.rule")
                let last = try #require(configuration["lastReload"] as? [String: Any])
                #expect(last["result"] as? String == "failure")
                #expect(try replica.status("/other") == 200 && replica.status("/") == 200)
                try await Threads.run {
                    try fleet.say(fleet.http.replacing("`/other`", with: "`/mended`"))
                    #expect(try replica.isContent())
                }
                #expect(try replica.reloads() == 1)
                let rule = try replica.json("/api/http/routers/other")["rule"] as? String
                #expect(rule == "PathPrefix(`/mended`)")
            }
        }

        @Test("a file that is deleted is a mistake, and what it said stays; made again, it takes effect")
        func deleted() async throws {
            try await withFleet(Self.options()) { fleet in
                let replica = fleet.replicas[0]
                try await Threads.run {
                    try FileManager.default.removeItem(atPath: "\(fleet.directory)/dynamic.yml")
                    #expect(try replica.refuses())
                    #expect(replica.errorLog.contains("dynamic.yml: cannot be read: no such file or directory"))
                    #expect(try replica.metric("limpet_provider_up{provider=\"file\"}") == 0)
                    #expect(try replica.status("/") == 200)
                    try fleet.say(Self.route("a", to: fleet))
                    #expect(try replica.isContent())
                    #expect(try replica.status("/a") == 200 && replica.status("/") == 404)
                }
            }
        }

        @Test("a replica does not start with a broken dynamic file, and names the place")
        func brokenAtStart() async throws {
            try await withFleet(Self.options(replicas: 0)) { fleet in
                try fleet.say("http:\n  routers:\n    r: { rule: \"Pth(`/`)\", service: s }\n  servces: {}\n")
                let failure = #expect(throws: ChildProcess.Failure.self) { try fleet.addReplica() }
                #expect(failure?.description.contains("dynamic.yml:3:16: http.routers.r.rule: ") == true)
                #expect(failure?.description.contains("dynamic.yml:4:3: http.servces: ") == true)
            }
        }

        // MARK: Ways of changing

        @Test("a directory is read as a whole: one broken file stops all of it, until it is mended or gone")
        func directory() async throws {
            let dynamic = Fleet.Dynamic(path: "d", isDirectory: true) { fleet in
                try FileManager.default.createDirectory(
                    atPath: "\(fleet.directory)/d/deep", withIntermediateDirectories: true)
                try fleet.say(Self.route("a", to: fleet), in: "d/a.yml")
            }
            try await withFleet(Self.options(dynamic)) { fleet in
                let replica = fleet.replicas[0]
                try await Threads.run {
                    try fleet.say(Self.route("b", to: fleet), in: "d/deep/b.yml")
                    #expect(try Waiting.until(within: 10) { try replica.status("/b") == 200 })
                    try fleet.say("http: { rooters: {} }\n", in: "d/c.yml")
                    #expect(try replica.refuses())
                    #expect(replica.errorLog.contains("d/c.yml:1:9: http.rooters: "))
                    try fleet.say(Self.route("a", to: fleet, path: "other"), in: "d/a.yml")
                    #expect(try Waiting.until(within: 10) { try replica.refusals() == 1 })
                    #expect(try replica.status("/a") == 200 && replica.status("/b") == 200)
                    try FileManager.default.removeItem(atPath: "\(fleet.directory)/d/c.yml")
                    #expect(try replica.isContent())
                    #expect(try replica.status("/other") == 200 && replica.status("/a") == 404)
                }
            }
        }

        @Test("a mounted ConfigMap that is swapped as Kubernetes does it takes effect")
        func kubernetes() async throws {
            @Sendable func version(_ name: String, _ fleet: Fleet) throws {
                let files = FileManager.default
                let path = "\(fleet.directory)/mount"
                try files.createDirectory(atPath: "\(path)/..\(name)", withIntermediateDirectories: true)
                try fleet.say(Self.route(name, to: fleet), in: "mount/..\(name)/dynamic.yml")
                try files.createSymbolicLink(atPath: "\(path)/..data_tmp", withDestinationPath: "..\(name)")
                guard rename("\(path)/..data_tmp", "\(path)/..data") == 0 else {
                    throw Unexpected(description: "the link cannot be swapped")
                }
            }
            let dynamic = Fleet.Dynamic(path: "mount/dynamic.yml") { fleet in
                try version("v1", fleet)
                try FileManager.default.createSymbolicLink(
                    atPath: "\(fleet.directory)/mount/dynamic.yml", withDestinationPath: "..data/dynamic.yml")
            }
            try await withFleet(Self.options(dynamic)) { fleet in
                let replica = fleet.replicas[0]
                try await Threads.run {
                    #expect(try replica.status("/v1") == 200)
                    for name in ["v2", "v3"] {
                        try version(name, fleet)
                        #expect(try Waiting.until(within: 10) { try replica.status("/\(name)") == 200 })
                    }
                    #expect(try replica.status("/v1") == 404 && replica.refusals() == 0)
                }
            }
        }

        @Test("ten changes in two seconds are fewer reloads, and the last one wins")
        func throttled() async throws {
            try await withFleet(Self.options(.init(throttle: "2s"))) { fleet in
                let replica = fleet.replicas[0]
                try await Threads.run {
                    for number in 1...10 {
                        try fleet.say(Self.route("v\(number)", to: fleet))
                        // How often they come is what is tested.
                        Thread.sleep(forTimeInterval: 0.2)
                    }
                    #expect(try Waiting.until(within: 10) { try replica.status("/v10") == 200 })
                    // Counted just after it has taken effect.
                    #expect(try Waiting.until(within: 1) { try (2...5).contains(replica.reloads()) })
                }
            }
        }

        @Test(
            "on SIGHUP the main file is read too; what takes effect at a start alone is named, and nothing else happens"
        )
        func hangup() async throws {
            try await withFleet(.init(replicas: 1, backends: 1, store: nil)) { fleet in
                let replica = fleet.replicas[0]
                let main = "\(fleet.directory)/r0.yml"
                try await Threads.run {
                    let text = try TextFile.read(main)
                    try TextFile.write(
                        text.replacing("`/other`", with: "`/another`").replacing("level: info", with: "level: debug"),
                        to: main)
                    replica.process.signal(SIGHUP)
                    #expect(try fleet.allReloaded(since: [0]))
                    let rule = try replica.json("/api/http/routers/other")["rule"] as? String
                    #expect(rule == "PathPrefix(`/another`)")
                    #expect(
                        Waiting.until(within: 5) {
                            replica.errorLog.contains("take effect after a restart.")
                                && replica.errorLog.contains("\"keys\":\"log\"")
                        })
                    try TextFile.write(text.replacing("PathPrefix(`/`)", with: "PathPrefix(`)"), to: main)
                    replica.process.signal(SIGHUP)
                    #expect(try replica.refuses())
                    for _ in 0..<50 { replica.process.signal(SIGHUP) }
                    #expect(try replica.status("/") == 200 && replica.process.ended == nil)
                }
            }
        }

        @Test("an Engine that is away holds up neither the start nor a reload, and is said to be away")
        func engineAway() async throws {
            let dynamic = Fleet.Dynamic(more: "docker: { endpoint: \"unix:///nowhere/docker.sock\" }")
            try await withFleet(Self.options(dynamic)) { fleet in
                let replica = fleet.replicas[0]
                try await Threads.run {
                    #expect(try replica.status("/") == 200)
                    let isAway = try Waiting.until(within: 5) {
                        try replica.metric("limpet_provider_up{provider=\"docker\"}") == 0
                    }
                    #expect(isAway && replica.errorLog.contains("The Docker Engine is unavailable"))
                    try fleet.say(Self.route("a", to: fleet))
                    #expect(try Waiting.until(within: 10) { try replica.status("/a") == 200 })
                    let providers = try replica.json("/api/overview")["providers"] as? [[String: Any]]
                    #expect(providers?.map { $0["status"] as? String } == ["up", "down"])
                    #expect((providers?.last?["error"] as? String)?.contains("/nowhere/docker.sock") == true)
                }
            }
        }

        @Test("SIGHUP during the stop does not end the process before its requests")
        func hangupDuringStop() async throws {
            let held = try HeldBackend()
            defer { held.close() }
            var options = Self.options(backends: 0)
            options.ownBackends = [held.port]
            try await withFleet(options) { fleet in
                let replica = fleet.replicas[0]
                let (response, end) = try await Threads.run {
                    let connection = try HTTPConnection(port: replica.port)
                    try connection.send(HTTPRequest("GET", "/"))
                    #expect(held.asked.isSet(within: 5))
                    replica.process.signal(SIGTERM)
                    #expect(Waiting.until(within: 5) { (try? replica.admin("/ping"))?.status == 503 })
                    #expect(Waiting.until(within: 5) { replica.refusesConnections })
                    replica.process.signal(SIGHUP)
                    // It is still there to say so, and has the request still under way.
                    #expect(try replica.metric("limpet_requests_in_flight") == 1)
                    held.released.set()
                    let response = try connection.receive()
                    connection.socket.close()
                    return (response, replica.process.waitForEnd(within: 5))
                }
                #expect(response.status == 200)
                #expect(end == .exited(0))
            }
        }
    }
}
