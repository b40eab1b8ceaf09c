import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// What Traefik's users rely on, shown on a running replica.
    @Suite("Sticky services behave as Traefik's users know them")
    struct TraefikStickinessTests {
        private func with(
            backends: Int, _ services: String, _ body: @escaping @Sendable (RoutedReplica) throws -> Void
        ) async throws {
            let file = """
                http:
                  routers: { all: { rule: "PathPrefix(`/`)", service: app } }
                  services:
                \(services)
                """
            let end = try await Threads.run {
                let routed = try RoutedReplica(backends: backends, file)
                do { try body(routed) } catch {
                    _ = routed.end()
                    throw error
                }
                return routed.end()
            }
            #expect(end == .exited(0))
        }

        /// The first 16 hexadecimal digits of the SHA-256 of a text.
        private static func traefikValue(of text: String) -> String {
            String(Digest.sha256(text).prefix(16))
        }

        @Test(
            "each strategy keeps a session by its cookie, whose value names no server",
            arguments: ["hrw", "wrr", "p2c"])
        func strategies(_ strategy: String) async throws {
            let services = """
                    app:
                      loadBalancer:
                        strategy: \(strategy)
                        sticky: { cookie: { name: test } }
                        servers: [ { url: B0, weight: 1, name: first }, { url: B1, weight: 2, name: second } ]
                """
            try await with(backends: 2, services) { routed in
                let first = try routed.exchange()
                let cookie = try #require(first.cookie)
                for forbidden in ["first", "second", "://", "127.0.0.1"] { #expect(!cookie.contains(forbidden)) }
                let home = try first.servedBy()
                for _ in 0..<3 { #expect(try routed.backend(fields: ["Cookie": cookie]) == home) }
                // With every new session a new choice.
                #expect(try Set(routed.backends(of: 30)) == ["b0", "b1"])
            }
        }

        @Test("a cookie of an unknown value is no session: another is given")
        func unknownCookie() async throws {
            let services = """
                    app: { loadBalancer: { sticky: { cookie: { name: test } }, servers: [ { url: B0 }, { url: B1 } ] } }
                """
            try await with(backends: 2, services) { routed in
                for value in ["unknown", Self.traefikValue(of: "http://127.0.0.1:\(routed.backends[0].port)")] {
                    let answer = try routed.exchange(fields: ["Cookie": "test=\(value)"])
                    #expect(answer.status == 200)
                    #expect(try #require(answer.cookie).hasPrefix("test="))
                }
            }
        }

        @Test("Traefik's own cookie is honoured on the first request where that is wanted, and replaced by ours")
        func migration() async throws {
            let services = """
                    app:
                      loadBalancer:
                        sticky: { cookie: { name: test, acceptTraefikCookie: true } }
                        servers: [ { url: B0 }, { url: B1 }, { url: B2 } ]
                """
            try await with(backends: 3, services) { routed in
                for backend in routed.backends {
                    let value = Self.traefikValue(of: "http://127.0.0.1:\(backend.port)")
                    for _ in 0..<4 {
                        let first = try routed.exchange(fields: ["Cookie": "test=\(value)"])
                        #expect(try first.servedBy() == backend.name)
                        let ours = try #require(first.cookie)
                        #expect(ours.hasPrefix("test=") && ours != "test=\(value)")
                        #expect(try routed.backend(fields: ["Cookie": ours]) == backend.name)
                    }
                }
            }
        }

        @Test("the cookie has the attributes that are configured, and Traefik's default name without one")
        func attributes() async throws {
            let services = """
                    app:
                      loadBalancer:
                        sticky:
                          cookie:
                            secure: true
                            httpOnly: true
                            sameSite: None
                            maxAge: 42
                            path: /foo
                            domain: foo.com
                        servers: [ { url: B0 } ]
                """
            try await with(backends: 1, services) { routed in
                let line = try #require(try routed.exchange()["Set-Cookie"])
                for part in [
                    "; Secure", "; HttpOnly", "; SameSite=None", "; Max-Age=42", "; Path=/foo", "; Domain=foo.com",
                ] {
                    #expect(line.contains(part))
                }
                let name = "_" + Digest.sha1("_TRAEFIK_BACKEND_app@file").prefix(5)
                #expect(line.hasPrefix("\(name)="))
            }
        }

        @Test("a draining server keeps its sessions and gets no new ones")
        func draining() async throws {
            let services = """
                    app:
                      loadBalancer:
                        sticky: { cookie: { name: test, acceptTraefikCookie: true } }
                        servers: [ { url: B0, draining: true }, { url: B1 }, { url: B2 } ]
                """
            try await with(backends: 3, services) { routed in
                let value = Self.traefikValue(of: "http://127.0.0.1:\(routed.backends[0].port)")
                let first = try routed.exchange(fields: ["Cookie": "test=\(value)"])
                #expect(try first.servedBy() == "b0")
                let cookie = try #require(first.cookie)
                for _ in 0..<4 { #expect(try routed.backend(fields: ["Cookie": cookie]) == "b0") }
                #expect(try Set(routed.backends(of: 20)) == ["b1", "b2"])
            }
        }

        @Test("where every server drains, new sessions go to them rather than nowhere")
        func allDraining() async throws {
            let services = """
                    app:
                      loadBalancer:
                        sticky: { cookie: { name: test } }
                        servers: [ { url: B0, draining: true }, { url: B1, draining: true } ]
                """
            try await with(backends: 2, services) { routed in
                let first = try routed.exchange()
                let (home, cookie) = (try first.servedBy(), try #require(first.cookie))
                for _ in 0..<4 { #expect(try routed.backend(fields: ["Cookie": cookie]) == home) }
            }
        }

        @Test("a dead server loses its session to another, with a new cookie, and does not get it back")
        func fallback() async throws {
            let services = """
                    app:
                      loadBalancer:
                        sticky: { cookie: { name: test } }
                        servers: [ { url: B0, name: b0 }, { url: B1, name: b1 } ]
                """
            try await with(backends: 2, services) { routed in
                let first = try routed.exchange()
                let (home, cookie) = (try first.servedBy(), try #require(first.cookie))
                let index = try #require(routed.backends.firstIndex { $0.name == home })
                routed.backends[index].process.kill()
                let moved = try routed.exchange(fields: ["Cookie": cookie])
                let next = try moved.servedBy()
                #expect(next != home)
                let follow = try #require(moved.cookie)
                let again = try routed.backends[index].startAgain()
                defer { again.process.kill() }
                let isBack = Waiting.until(within: 10) {
                    (try? routed.replica.metric("limpet_backend_up{service=\"app\",backend=\"\(home)\"}")) == 1
                }
                #expect(isBack)
                for _ in 0..<4 { #expect(try routed.backend(fields: ["Cookie": follow]) == next) }
            }
        }

        @Test("weighted services keep a session at both levels, by a cookie of each")
        func weighted() async throws {
            let services = """
                    app:
                      weighted:
                        services: [ { name: one, weight: 3 }, { name: two, weight: 1 } ]
                        sticky: { cookie: { name: lvl1 } }
                    one: { loadBalancer: { sticky: { cookie: { name: lvl2 } }, servers: [ { url: B0 }, { url: B1 } ] } }
                    two: { loadBalancer: { sticky: { cookie: { name: lvl2 } }, servers: [ { url: B2 }, { url: B3 } ] } }
                """
            try await with(backends: 4, services) { routed in
                for _ in 0..<6 {
                    let first = try routed.exchange()
                    let cookies = first.values(of: "Set-Cookie").compactMap { $0.split(separator: ";").first }
                    #expect(cookies.map { $0.prefix(5) } == ["lvl1=", "lvl2="])
                    let home = try first.servedBy()
                    let fields = ["Cookie": cookies.joined(separator: "; ")]
                    for _ in 0..<4 { #expect(try routed.backend(fields: fields) == home) }
                }
                // An eighth of the sessions begin at b2: the chance that none of 160 does is below one in a billion.
                let counts = try routed.backends(of: 160).reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
                #expect((counts["b0"] ?? 0) + (counts["b1"] ?? 0) > (counts["b2"] ?? 0) + (counts["b3"] ?? 0))
                #expect(counts.count == 4)
            }
        }

        @Test("hrw without stickiness goes by the client's address; no server, all dead or of weight 0 is 503")
        func withoutSticky() async throws {
            let file = """
                http:
                  routers:
                    hrw: { rule: "PathPrefix(`/hrw`)", service: hrw }
                    turns: { rule: "PathPrefix(`/turns`)", service: turns }
                    none: { rule: "PathPrefix(`/none`)", service: none }
                    dead: { rule: "PathPrefix(`/dead`)", service: dead }
                    zero: { rule: "PathPrefix(`/zero`)", service: zero }
                    some: { rule: "PathPrefix(`/some`)", service: some }
                  services:
                    hrw: { loadBalancer: { strategy: hrw, servers: [ { url: B0 }, { url: B1, weight: 2 } ] } }
                    turns: { loadBalancer: { servers: [ { url: B0, weight: 3 }, { url: B1 } ] } }
                    none: { loadBalancer: { servers: [] } }
                    dead: { loadBalancer: { servers: [ { url: NOBODY } ] } }
                    zero: { loadBalancer: { servers: [ { url: B0, weight: 0 } ] } }
                    some: { loadBalancer: { servers: [ { url: B0, weight: 0 }, { url: B1 } ] } }
                """
            let end = try await Threads.run {
                let routed = try RoutedReplica(backends: 2, file)
                do {
                    #expect(try Set(routed.backends(of: 10, "/hrw")).count == 1)
                    #expect(try Set(routed.backends(of: 10, "/some")) == ["b1"])
                    for path in ["/none", "/dead", "/zero"] { #expect(try routed.exchange(path).status == 503) }
                    #expect(try routed.exchange("/else").status == 404)
                    let turns = try routed.backends(of: 16, "/turns")
                    // Each event loop takes turns by itself.
                    #expect((10...14).contains(turns.count { $0 == "b0" }))
                } catch {
                    _ = routed.end()
                    throw error
                }
                return routed.end()
            }
            #expect(end == .exited(0))
        }
    }
}
