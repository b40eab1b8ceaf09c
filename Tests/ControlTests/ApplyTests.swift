import Affinity
import Configuration
import Foundation
import LimpetTestKit
import Logging
import Proxy
import Testing

@testable import Control

@Suite("A data plane that is configured anew")
struct ApplyTests {
    private static func configuration(_ http: String) throws -> Configuration {
        try ReplicaConfiguration.read(
            """
            entryPoints: { web: { address: "127.0.0.1:0" } }
            replica: { name: r1, threads: 2 }
            fleet: { secret: 0123456789abcdef }
            http: { \(http) }
            """)
    }

    private static func shop(_ servers: String..., sticky: String = "header: X-Session-ID") throws -> Configuration {
        try configuration(
            """
            routers: { all: { rule: "PathPrefix(`/`)", service: shop } },
            services: { shop: { loadBalancer: { sticky: { \(sticky) }, servers: [\(servers.joined(separator: ", "))] } } }
            """)
    }

    @Test("renews our cookie before the browser drops it, or its hint ends")
    func renewal() throws {
        for (sticky, age) in [
            ("cookie: { maxAge: 3600 }", 900), ("cookie: {}", 21_600),
            ("cookie: { maxAge: 3600 }, idleTimeout: 20m", 267),
        ] as [(String, UInt32)] {
            let configuration = try Self.shop(sticky: sticky)
            let snapshot = try Snapshot(configuration, keys: FleetKeys(configuration.fleet))
            #expect(snapshot.services[0].sticky?.renewal.renewalAgeSeconds == age, "\(sticky)")
        }
    }

    private static func server(_ backend: ScriptedBackend, _ name: String) -> String {
        "{ url: \"http://127.0.0.1:\(backend.port)\", name: \(name) }"
    }

    private static func backend(_ body: String) throws -> ScriptedBackend {
        try ScriptedBackend { connection, _ in
            while true {
                _ = try connection.receive(until: "\r\n\r\n")
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
        }
    }

    private static func withDataPlane(
        _ configuration: Configuration, accessLog: AccessLog? = nil, _ body: (DataPlane) async throws -> Void
    ) async throws {
        let dataPlane = try await DataPlane.start(configuration, accessLog: accessLog, logger: Logger(label: "test"))
        do {
            try await body(dataPlane)
        } catch {
            await dataPlane.stop()
            throw error
        }
        await dataPlane.stop()
    }

    @Test("serves by it on every loop, and counts, measures and introduces itself accordingly")
    func serves() async throws {
        let (first, second) = (try Self.backend("first"), try Self.backend("second"))
        defer { first.close(); second.close() }
        let before = try Self.shop(Self.server(first, "a"))
        let after = try Self.shop(Self.server(second, "b"))
        try await Self.withDataPlane(before) { dataPlane in
            for number in 0..<4 {
                let answer = try await Loopback.ask(dataPlane.ports[0], "/", ["X-Session-ID: \(number)"])
                #expect(answer.body == "first")
            }
            try await dataPlane.apply(after)
            for number in 0..<8 {
                let answer = try await Loopback.ask(dataPlane.ports[0], "/", ["X-Session-ID: \(number)"])
                #expect(answer.body == "second")
            }
            let metrics = await dataPlane.snapshot()
            #expect(metrics.requests.values.reduce(0, +) == 12)
            #expect(metrics.backendsUp.map(\.key.name) == ["b"])
            let fleet = await dataPlane.fleet()
            let fingerprint = ConfigurationFingerprint(after, keys: dataPlane.keys)
            #expect(fleet.replicas.map(\.configuration) == [fingerprint.description])
            #expect(fingerprint != ConfigurationFingerprint(before, keys: dataPlane.keys))
        }
    }

    @Test("keeps what has not changed: memberships, and what is known of backends that stay")
    func keeps() async throws {
        let configuration = try Self.shop("{ url: \"http://127.0.0.1:1\", name: a }", "{ url: \"http://127.0.0.1:2\" }")
        try await Self.withDataPlane(configuration) { dataPlane in
            let before = await dataPlane.measure().services[0]
            before.health.markDown(0)
            before.health.markDown(1)
            try await dataPlane.apply(configuration)
            let same = await dataPlane.measure().services[0]
            #expect(same.membership === before.membership && same.health === before.health)
            try await dataPlane.apply(
                Self.shop(
                    "{ url: \"http://127.0.0.1:3\" }", "{ url: \"http://127.0.0.1:2\" }",
                    "{ url: \"http://127.0.0.1:4\", name: a }"))
            let after = await dataPlane.measure().services[0]
            #expect((0..<3).map { after.health.isUp($0) } == [true, false, true], "a has moved to another address")
            before.health.markUp(1)
            #expect(after.health.isUp(1), "a loop that has not swapped yet has found out that it is up")
        }
    }

    @Test("refuses one that cannot be served, and goes on as before")
    func refuses() async throws {
        let first = try Self.backend("first")
        defer { first.close() }
        let before = try Self.shop(Self.server(first, "a"))
        try await Self.withDataPlane(before) { dataPlane in
            let keys = dataPlane.keys
            let names = try #require(try await Threads.run { Self.meetingNames(keys) })
            let bad = try Self.shop(
                "{ url: \"http://127.0.0.1:1\", name: \(names.0) }", "{ url: \"http://127.0.0.1:2\", name: \(names.1) }"
            )
            let diagnostic = await #expect(throws: SnapshotDiagnostic.self) { try await dataPlane.apply(bad) }
            let said = diagnostic?.description ?? ""
            #expect(said.contains("service \"shop\"") && said.contains(names.0))
            #expect(try await Loopback.ask(dataPlane.ports[0], "/", ["X-Session-ID: s"]).body == "first")
            #expect(dataPlane.fingerprint == ConfigurationFingerprint(before, keys: dataPlane.keys))
            try await dataPlane.apply(before)
        }
    }

    /// Two names whose hashes meet under these keys.
    private static func meetingNames(_ keys: FleetKeys) -> (String, String)? {
        do {
            _ = try Membership((0..<200_000).map { ("n\($0)", 1, false) }, key: keys.fingerprint)
        } catch .meetingHashes(let first, let second) {
            return (first, second)
        } catch {}
        return nil
    }

    @Test("carries out changes that are asked for at once one after the other, the last one last")
    func serialised() async throws {
        try await Self.withDataPlane(try Self.shop("{ url: \"http://127.0.0.1:1\" }")) { dataPlane in
            let configurations = try (0..<20).map { try Self.shop("{ url: \"http://127.0.0.1:\($0 + 2)\" }") }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for configuration in configurations { group.addTask { try await dataPlane.apply(configuration) } }
                try await group.waitForAll()
            }
            try await dataPlane.apply(configurations[7])
            #expect(dataPlane.fingerprint == ConfigurationFingerprint(configurations[7], keys: dataPlane.keys))
            #expect(await dataPlane.measure().services[0].backends[0].port == 9)
        }
    }

    @Test("hides session keys in its access log by the services it had, too")
    func redaction() throws {
        func services(_ name: String) throws -> [ServiceSettings] {
            try Self.shop("{ url: \"http://127.0.0.1:1\" }", sticky: "query: \(name)").http.services
        }
        let redaction = LiveRedaction(try services("old"))
        redaction.add(try services("new"))
        let line = Array("/?old=secret&new=secret&x=1".utf8).withUnsafeBytes { redaction.value.redact($0) }
        #expect(String(decoding: line, as: UTF8.self) == "/?old=REDACTED&new=REDACTED&x=1")
    }
}
