import Affinity
import Foundation
import NIOPosix
import Proxy
import Testing

@testable import Configuration
@testable import Control

@Suite("The API of the admin listener")
struct AdminAPITests {
    private static func ask(_ path: String, method: String = "GET") async throws -> Loopback.Response {
        let server = try await AdminServer.start(
            on: ListenAddress(host: "127.0.0.1", port: 0), group: MultiThreadedEventLoopGroup.singleton, replica: "r1",
            phase: ReplicaPhase(), source: AdminSourceSample())
        let answer = try await Loopback.ask(server.listener.address.port, path, method: method)
        await server.listener.stop()
        return answer
    }

    private static func json(_ path: String) async throws -> Any {
        try JSONSerialization.jsonObject(with: Data(try await ask(path).body.utf8))
    }

    @Test("routers are shown with rule, priority, service and entry points, all of them or one by its name")
    func routers() async throws {
        let all = try #require(try await Self.json("/api/http/routers") as? [[String: Any]])
        #expect(all.map { $0["name"] as? String } == ["a b", "rest"])
        let one = try #require(try await Self.json("/api/http/routers/a%20b") as? [String: Any])
        #expect(one["rule"] as? String == "Host(`a`)")
        #expect(one["priority"] as? Int == 9)
        #expect(one["status"] as? String == "enabled")
        #expect(one["provider"] as? String == "file")
        #expect(one["service"] as? String == "shop")
        #expect(one["entryPoints"] as? [String] == ["web"])
        #expect(all[1]["entryPoints"] as? [String] == ["alt", "web"])
        #expect(all[1]["priority"] as? Int == 7)
    }

    @Test("services are shown with their servers, how they keep sessions, and who uses them")
    func services() async throws {
        let all = try #require(try await Self.json("/api/http/services") as? [[String: Any]])
        #expect(all.map { $0["name"] as? String } == ["idle", "shop"])
        let shop = try #require(try await Self.json("/api/http/services/shop") as? [String: Any])
        #expect(shop["type"] as? String == "loadbalancer" && shop["strategy"] as? String == "hrw")
        #expect(shop["usedBy"] as? [String] == ["a b", "rest"])
        let balancer = try #require(shop["loadBalancer"] as? [String: Any])
        let servers = try #require(balancer["servers"] as? [[String: Any]])
        #expect(servers.map { $0["url"] as? String } == ["http://10.0.0.1:80", "http://10.0.0.2:80"])
        #expect(servers.map { $0["name"] as? String } == ["web-1", "http://10.0.0.2:80"])
        #expect(servers.map { $0["draining"] as? Bool } == [false, true])
        let sticky = try #require(shop["sticky"] as? [String: Any])
        #expect(sticky["sources"] as? [String] == ["header X-Session-ID"])
        #expect(sticky["idleTimeoutSeconds"] as? Int == 1800)
        #expect(all[0]["sticky"] is NSNull)
    }

    @Test("what stands against servers is shown: what is found out, and what is configured")
    func causes() throws {
        let configuration = try ReplicaConfiguration.read(AdminSourceSample.yaml)
        let services = try Snapshot(configuration, keys: FleetKeys(configuration.fleet)).services
        func shop() throws -> ServiceView {
            try #require(ServiceView.all(of: configuration.http, running: services).first { $0.name == "shop" })
        }
        let (first, second) = ("http://10.0.0.1:80", "http://10.0.0.2:80")
        try #expect(shop().serverStatus == [first: .isUp, second: .isUp])
        try #expect(shop().serverCauses == [second: ["draining"]])
        let running = try #require(services.first { $0.name == "shop" })
        for index in 0..<2 { running.health.markDown(index) }
        try #expect(shop().serverStatus == [first: .isDown, second: .isDown])
        try #expect(shop().serverCauses == [first: ["unreachable"], second: ["unreachable", "draining"]])
        try #expect(shop().serverFailures == [:])
        running.health.backends[0].begin(.failing, by: .status(503))
        running.health.backends[0].begin(.unhealthy)
        running.health.backends[1].begin(.erring, by: .closed)
        try #expect(shop().serverCauses[first] == ["unreachable", "failing"])
        try #expect(
            shop().serverFailures == [
                first: ["health check: status 503", "container unhealthy"], second: ["requests: connection closed"],
            ])
    }

    @Test("limits and checks of a service are shown, and what each server has to do and was found to be")
    func serverStates() throws {
        let yaml = """
            http:
              services:
                shop:
                  loadBalancer:
                    servers: [{ url: "http://10.0.0.1:80" }]
                    maxRequests: 2
                    queue: { size: 3, timeout: 1500ms }
                    slowStart: 10s
                    healthCheck:
                      { path: "/health?token=1234", interval: 2s, timeout: 300ms, fall: 3, headers: { X-Key: 5678 } }
                    passiveHealthCheck: { statuses: [500, 502-504] }
                plain: { loadBalancer: { servers: [{ url: "http://10.0.0.2:80" }] } }
            """
        let configuration = try ReplicaConfiguration.read(yaml)
        let services = try Snapshot(configuration, keys: FleetKeys(configuration.fleet)).services
        func json(_ name: String, atSecond second: Int64 = 100) throws -> String {
            let now = Instant(nanoseconds: second * 1_000_000_000)
            let views = ServiceView.all(of: configuration.http, running: services, now: now)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return try String(decoding: encoder.encode(#require(views.first { $0.name == name })), as: UTF8.self)
        }
        for part in [
            #""healthCheck":{"fall":3,"followRedirects":true,"headers":["X-Key"],"hostname":null,"#
                + #""intervalMilliseconds":2000,"method":"GET","path":"/health","port":null,"rise":1,"status":null,"#
                + #""timeoutMilliseconds":300,"unhealthyIntervalMilliseconds":2000},"maxRequests":2,"#,
            #""passiveHealthCheck":{"failureWindowMilliseconds":10000,"maxFailedAttempts":1,"#
                + #""statuses":["500","502-504"]},"queue":{"size":3,"timeoutMilliseconds":1500},"#,
            #""slowStartMilliseconds":10000"#,
            #"{"healthCheck":{"last":null,"verdict":"healthy"},"newcomer":false,"#
                + #""requests":{"refused":0,"underWay":0,"waited":0,"waiting":0},"share":1}"#,
        ] {
            try #expect(json("shop").contains(part), "\(part)")
        }
        try #expect(!json("shop").contains("1234") && !json("shop").contains("5678"))
        let state = try #require(services.first { $0.name == "shop" }).health.backends[0]
        #expect(state.capacity.enter(limit: 1, queueSize: 1) {} == .admitted)
        _ = state.capacity.enter(limit: 1, queueSize: 1) {}
        _ = state.capacity.enter(limit: 1, queueSize: 1) {}
        state.setNewcomer(true)
        state.setRisen(at: Instant(nanoseconds: 95_000_000_000))
        state.checkCounts.count(.status(503), now: Instant(nanoseconds: 99_000_000_000))
        try #expect(
            json("shop").contains(
                #"{"healthCheck":{"last":{"agoMilliseconds":1000,"detail":"status 503","outcome":"status"},"#
                    + #""verdict":"unproven"},"newcomer":true,"#
                    + #""requests":{"refused":1,"underWay":1,"waited":1,"waiting":1},"share":0.5}"#))
        state.setNewcomer(false)
        state.begin(.failing, by: .status(503))
        state.checkCounts.count(nil, now: Instant(nanoseconds: 100_000_000_000))
        try #expect(
            json("shop").contains(
                #"{"last":{"agoMilliseconds":0,"detail":null,"outcome":"good"},"verdict":"failing"}"#))
        try #expect(
            json("plain").contains(#"{"healthCheck":null,"newcomer":false,"requests":null,"share":1}"#))
    }

    @Test("what is not there is 404, what cannot be 400, both with a message; nothing can be changed")
    func missing() async throws {
        for path in ["/api/http/routers/x", "/api/http/services/x@docker"] {
            let answer = try await Self.ask(path)
            #expect(answer.status == 404 && answer.body.contains(" does not exist\"}"))
        }
        #expect(try await Self.ask("/api/http/routers/%ff").status == 400)
        #expect(
            try await Self.ask("/api/sessions/12?service=shop").body
                == #"{"message":"the fingerprint must have 32 hexadecimal digits"}"#)
        let fingerprint = String(repeating: "0f", count: 16)
        #expect(try await Self.ask("/api/sessions/\(fingerprint)").status == 400)
        #expect(try await Self.ask("/api/sessions/\(fingerprint)?service=gone").status == 404)
        for path in ["/api", "/api/", "/api/http", "/api/http/routers/a/b", "/api/overview/", "/apix/overview"] {
            #expect(try await Self.ask(path).status == 404, "\(path)")
        }
        for path in ["/api/overview", "/api/http/services", "/api/http/services/shop"] {
            #expect(try await Self.ask(path, method: "POST").status == 405)
        }
    }

    @Test("the overview counts what there is and what is wrong with it, null where a thing is not known")
    func overview() throws {
        var report = ReloadReport(startedAt: WallTime(seconds: 0, nanoseconds: 0))
        let place = Diagnostic.Place(line: 3, column: 5)
        func diagnostic(_ key: String, _ severity: Diagnostic.Severity, _ place: Diagnostic.Place?) -> Diagnostic {
            Diagnostic(severity: severity, source: .file("d.yml"), place: place, key: key, message: "m")
        }
        report.failed(
            at: WallTime(seconds: 60, nanoseconds: 0),
            diagnostics: [
                diagnostic("http.routers.a.rule", .error, place), diagnostic("http.services.b", .warning, place),
                diagnostic("traefik.http.Services.c.loadbalancer", .error, nil), diagnostic("http", .error, nil),
            ])
        let http = OverviewView.HTTP(HTTPConfiguration(), diagnostics: report.diagnostics)
        #expect(http.routers == .init(total: 0, warnings: 0, errors: 1))
        #expect(http.services == .init(total: 0, warnings: 1, errors: 1))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let json = String(decoding: try encoder.encode(OverviewView.Loading(report)), as: UTF8.self)
        #expect(
            json.hasPrefix(
                """
                {"lastReload":{"at":"1970-01-01T00:01:00.000000Z","result":"failure"},\
                "loadedAt":"1970-01-01T00:00:00.000000Z","mistakeCount":4,"mistakes":[{"column":5,\
                "key":"http.routers.a.rule","line":3,"message":"m","severity":"error","source":"d.yml"}
                """))
        #expect(json.contains(#"{"column":null,"key":"http","line":null,"#))
        #expect(json.hasSuffix(#""reloads":{"failure":1,"success":0}}"#))
    }
}

@Suite("What a replica says of a session")
struct SessionViewTests {
    private static let fingerprint = Fingerprint(high: 0x0123_4567_89AB_CDEF, low: 5)

    private static func service(
        _ unavailable: AffinitySettings.Unavailability = .move, drains: Bool = false
    ) throws -> Proxy.Service {
        let key = FingerprintKey(k0: 1, k1: 2)
        let membership = try Membership([("a", 1, drains), ("b", 1, drains)], key: key)
        let sticky = Sticky(
            sources: [], cookie: nil, settings: AffinitySettings(onUnavailable: unavailable),
            renewal: CookieRenewal(idleTimeoutMilliseconds: 1000, absoluteTimeoutMilliseconds: nil))
        return Proxy.Service(
            name: "shop", backends: [Backend(name: "a", host: "h", port: 1), Backend(name: "b", host: "h", port: 2)],
            membership: membership, health: HealthTable(count: 2), sticky: sticky)
    }

    private static func entry(_ backend: BackendHash, suspect: Bool = false) -> BindingCache.Entry {
        BindingCache.Entry(
            binding: Binding(backend: backend, epoch: 3), kind: .dirty, confirmedAt: Instant(nanoseconds: 0),
            expiresAt: .distantFuture, isSuspect: suspect)
    }

    @Test("a session that it knows is shown with its backend, and goes there while that is up")
    func known() throws {
        let service = try Self.service()
        let entry = Self.entry(service.membership.backends[1].hash)
        let view = SessionView(Self.fingerprint, of: service, entry: entry, isCovered: true)
        #expect(view.fingerprint == "0123456789abcdef0000000000000005")
        #expect(view.source == .cache && view.store == nil && view.kind == .dirty && view.backend == "b")
        #expect(view.epoch == 3 && view.suspect == false)
        #expect(view.wouldGo == "b")
        #expect(SessionView(Self.fingerprint, of: service, entry: entry, isCovered: false).suspect == true)
        service.health.markDown(1)
        #expect(SessionView(Self.fingerprint, of: service, entry: entry, isCovered: true).wouldGo == "a")
    }

    @Test("an entry that others confirmed is standby, and one whose lifetime is over counts while the store is away")
    func standby() throws {
        let service = try Self.service()
        var entry = Self.entry(service.membership.backends[1].hash, suspect: true)
        (entry.kind, entry.isStandby) = (.confirmed, true)
        let away = StoreResult.unavailable(.away)
        let view = SessionView(Self.fingerprint, of: service, entry: entry, isCovered: true, answer: away)
        #expect(view.kind == .standby && view.suspect == true && view.wouldGo == "b" && view.store == .away)
        func expired(_ answer: StoreResult) -> SessionView {
            SessionView(Self.fingerprint, of: service, entry: nil, expired: entry, isCovered: false, answer: answer)
        }
        #expect(expired(away).kind == .expired && expired(away).wouldGo == "b")
        #expect(expired(.absent).kind == nil && expired(.absent).source == nil)
    }

    @Test("one that may go nowhere else is refused while its backend is down")
    func rejected() throws {
        let service = try Self.service(.reject)
        let entry = Self.entry(service.membership.backends[1].hash)
        service.health.markDown(1)
        #expect(SessionView(Self.fingerprint, of: service, entry: entry, isCovered: true).wouldGo == nil)
    }

    @Test("a new one goes to a server that drains where there is no other")
    func allDrain() throws {
        func target(_ service: Proxy.Service) -> String? {
            SessionView(Self.fingerprint, of: service, entry: nil, isCovered: true).wouldGo
        }
        let service = try Self.service(drains: true)
        let first = try #require(target(service))
        #expect(first == target(try Self.service()))
        service.health.markDown(first == "a" ? 0 : 1)
        #expect(target(service) == (first == "a" ? "b" : "a"))
    }

    private static func record(_ backend: BackendHash, epoch: UInt32) -> StoreResult {
        .record(Binding(backend: backend, epoch: epoch), remainingMilliseconds: 1000)
    }

    @Test("what the cache vouches for is not looked up; a guess, a doubt, a tombstone and nothing are")
    func vouching() {
        var entry = Self.entry(BackendHash(bits: 5))
        #expect(!SessionView.isVouchedFor(nil, isCovered: true))
        #expect(!SessionView.isVouchedFor(entry, isCovered: true))
        entry.kind = .confirmed
        #expect(SessionView.isVouchedFor(entry, isCovered: true))
        #expect(!SessionView.isVouchedFor(entry, isCovered: false))
        entry.kind = .guess
        #expect(!SessionView.isVouchedFor(entry, isCovered: true))
        entry.kind = .confirmed
        entry.isSuspect = true
        #expect(!SessionView.isVouchedFor(entry, isCovered: true))
        (entry.isSuspect, entry.binding.backend) = (false, .tombstone)
        #expect(!SessionView.isVouchedFor(entry, isCovered: true))
    }

    @Test("what the store holds is shown as confirmed, and the session goes there while that is up")
    func stored() throws {
        let service = try Self.service()
        let answer = Self.record(service.membership.backends[1].hash, epoch: 2)
        let view = SessionView(Self.fingerprint, of: service, entry: nil, isCovered: true, answer: answer)
        #expect(view.source == .store && view.store == .asked && view.kind == .confirmed)
        #expect(view.backend == "b" && view.epoch == 2 && view.suspect == nil && view.wouldGo == "b")
        service.health.markDown(1)
        let moved = SessionView(Self.fingerprint, of: service, entry: nil, isCovered: true, answer: answer)
        #expect(moved.backend == "b" && moved.wouldGo == "a")
        let dropped = SessionView(
            Self.fingerprint, of: service, entry: nil, isCovered: true, answer: Self.record(.tombstone, epoch: 3))
        #expect(dropped.source == .store && dropped.backend == nil && dropped.epoch == 3 && dropped.wouldGo == "a")
    }

    @Test("between cache and store the higher epoch counts, and the store's at equal ones")
    func rivals() throws {
        let service = try Self.service()
        let (a, b) = (service.membership.backends[0].hash, service.membership.backends[1].hash)
        func view(_ epoch: UInt32, _ entry: BindingCache.Entry) -> SessionView {
            let answer = Self.record(b, epoch: epoch)
            return SessionView(Self.fingerprint, of: service, entry: entry, isCovered: true, answer: answer)
        }
        for (epoch, wins) in [(2, false), (3, true), (4, true)] as [(UInt32, Bool)] {
            let view = view(epoch, Self.entry(a))
            #expect(view.source == (wins ? .store : .cache) && view.store == .asked)
            #expect(view.backend == (wins ? "b" : "a") && view.epoch == max(epoch, 3))
        }
        // The store had lost the session, and somebody who did not know bound it anew.
        var entry = Self.entry(a, suspect: true)
        (entry.binding.epoch, entry.kind) = (1, .confirmed)
        #expect(view(1, entry).source == .cache && view(1, entry).wouldGo == "a")
        // A backend had issued the key, and somebody guessed who had not heard of it.
        entry.kind = .dirty
        #expect(view(1, entry).source == .cache && view(1, entry).wouldGo == "a")
        entry.kind = .guess
        #expect(view(1, entry).source == .store && view(1, entry).wouldGo == "b")
        entry.kind = .confirmed
        service.health.markDown(0)
        #expect(view(1, entry).source == .store && view(1, entry).wouldGo == "b")
    }

    @Test("a store that holds nothing, or what is no record, adds nothing; one without an answer is away")
    func nothingStored() throws {
        let service = try Self.service()
        let entry = Self.entry(service.membership.backends[1].hash)
        for answer in [StoreResult.absent, .foreign] + StoreFailure.allCases.map(StoreResult.unavailable) {
            let known = SessionView(Self.fingerprint, of: service, entry: entry, isCovered: true, answer: answer)
            #expect(known.source == .cache && known.kind == .dirty && known.wouldGo == "b")
            let view = SessionView(Self.fingerprint, of: service, entry: nil, isCovered: true, answer: answer)
            #expect(view.source == nil && view.kind == nil && view.backend == nil && view.epoch == nil)
            #expect(view.store == ([.absent, .foreign].contains(answer) ? .asked : .away))
        }
    }

    @Test("of one that it does not know it says where hashing leads; null stands for what is not known")
    func unknown() throws {
        let service = try Self.service()
        let view = SessionView(Self.fingerprint, of: service, entry: nil, isCovered: false)
        #expect(view.kind == nil && view.backend == nil && view.epoch == nil && view.suspect == nil)
        let first = service.membership.ranked(Self.fingerprint)[0]
        #expect(view.wouldGo == service.membership.backends[first].name)
        let json = String(decoding: try JSONEncoder().encode(view), as: UTF8.self)
        #expect(json.contains("\"source\":null") && json.contains("\"store\":null"))
        #expect(json.contains("\"kind\":null") && json.contains("\"epoch\":null"))
        #expect(try JSONDecoder().decode(SessionView.self, from: Data(json.utf8)) == view)
    }

    @Test("a fingerprint is read from 32 hexadecimal digits and from nothing else")
    func fingerprints() {
        let text = Self.fingerprint.hexadecimal
        #expect(Fingerprint(hexadecimal: text) == Self.fingerprint)
        #expect(Fingerprint(hexadecimal: text.uppercased()) == Self.fingerprint)
        for wrong in ["", String(text.dropLast()), text + "0", "+" + text.dropFirst(), "g" + text.dropFirst()] {
            #expect(Fingerprint(hexadecimal: wrong) == nil)
        }
    }
}
