import Foundation
import LimpetTestKit
import Logging
import Proxy
import Testing

@testable import Control

/// What is configured, as it is served.
@Suite("A data plane serves what is configured")
struct ServingTests {
    private static func withDataPlane(_ http: String, _ body: (Int, DataPlane) async throws -> Void) async throws {
        let configuration = try ReplicaConfiguration.read(
            """
            entryPoints: { web: { address: "127.0.0.1:0" } }
            replica: { name: r1, threads: 2 }
            http: { \(http) }
            """)
        let dataPlane = try await DataPlane.start(configuration, accessLog: nil, logger: Logger(label: "test"))
        do {
            try await body(dataPlane.ports[0], dataPlane)
        } catch {
            await dataPlane.stop()
            throw error
        }
        await dataPlane.stop()
    }

    /// Says its name and the first line of what it got.
    private static func backend(_ name: String) throws -> ScriptedBackend {
        try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                let body = "\(name) \(head.components(separatedBy: "\r\n")[0])"
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
        }
    }

    @Test("middlewares in their order")
    func middlewares() async throws {
        let backend = try Self.backend("b")
        defer { backend.close() }
        let http = """
            routers: { all: { rule: "PathPrefix(`/`)", service: s, middlewares: [in, strip, add] } },
            middlewares: {
              in: { basicAuth: { users: ["ada:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"] } },
              strip: { stripPrefix: { prefixes: [/api] } }, add: { addPrefix: { prefix: /v2 } } },
            services: { s: { loadBalancer: { servers: [{ url: "http://127.0.0.1:\(backend.port)" }] } } }
            """
        try await Self.withDataPlane(http) { (port: Int, dataPlane: DataPlane) async throws in
            let login = "Authorization: Basic \(Data("ada:secret".utf8).base64EncodedString())"
            #expect(try await Loopback.ask(port, "/api/x", []).status == 401)
            #expect(try await Loopback.ask(port, "/api/x", [login]).body == "b GET /v2/x HTTP/1.1")
            #expect(await dataPlane.measure().workers.compactMap { $0.refused[.unauthorized] }.reduce(0, +) == 1)
        }
    }

    @Test("weighted services, and sessions that Traefik has placed on each of their levels")
    func weighted() async throws {
        let backends = try ["a0", "a1", "b0"].map(Self.backend)
        defer { backends.forEach { $0.close() } }
        let urls = backends.map { "http://127.0.0.1:\($0.port)" }
        func sticky(_ name: String) -> String { "sticky: { cookie: { name: \(name), acceptTraefikCookie: true } }" }
        let http = """
            routers: { all: { rule: "PathPrefix(`/`)", service: top } },
            services: {
              top: { weighted: { services: [{ name: a, weight: 3 }, { name: b }], \(sticky("lvl1")) } },
              a: { loadBalancer: { \(sticky("lvl2")), servers: [{ url: "\(urls[0])" }, { url: "\(urls[1])" }] } },
              b: { loadBalancer: { \(sticky("lvl2")), servers: [{ url: "\(urls[2])" }] } } }
            """
        try await Self.withDataPlane(http) { port, _ in
            var seen: Set<String> = []
            for _ in 0..<40 { seen.insert(String(try await Loopback.ask(port, "/", []).body.prefix(2))) }
            #expect(seen == ["a0", "a1", "b0"])
            func hash(_ name: String) -> String {
                let number = String(TraefikCookies.value(of: name), radix: 16)
                return String(repeating: "0", count: 16 - number.count) + number
            }
            for (child, url, name) in [("a", urls[0], "a0"), ("a", urls[1], "a1"), ("b", urls[2], "b0")] {
                let cookie = "Cookie: lvl1=\(hash(child)); lvl2=\(hash(url))"
                for _ in 0..<4 { #expect(try await Loopback.ask(port, "/", [cookie]).body.hasPrefix(name)) }
            }
        }
    }
}
