import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// What users of Traefik have, word for word, with a router and servers beside it.
    @Suite("Traefik's own files work as they stand")
    struct TraefikFormsTests {
        private func with(
            backends: Int = 2, _ dynamic: String, fileName: String = "dynamic.yml",
            _ body: @escaping @Sendable (RoutedReplica) throws -> Void
        ) async throws {
            let end = try await Threads.run {
                let routed = try RoutedReplica(backends: backends, dynamic, fileName: fileName)
                do { try body(routed) } catch {
                    _ = routed.end()
                    throw error
                }
                return routed.end()
            }
            #expect(end == .exited(0))
        }

        @Test("a sticky cookie with a name of its own", arguments: ["my-sticky-cookie", "region-cookie"])
        func stickyCookie(_ name: String) async throws {
            let file = """
                http:
                  routers:
                    my-router: { rule: "PathPrefix(`/`)", service: my-service }
                  services:
                    my-service:
                      loadBalancer:
                        sticky:
                          cookie:
                            name: \(name)
                        servers:
                          - url: B0
                          - url: B1
                """
            try await with(file) { routed in
                let first = try routed.exchange()
                let cookie = try #require(first.cookie)
                #expect(cookie.hasPrefix("\(name)="))
                let home = try first.servedBy()
                for _ in 0..<6 { #expect(try routed.backend(fields: ["Cookie": cookie]) == home) }
                // Others go elsewhere too: it is the cookie that holds this one.
                let others = try Set(routed.backends(of: 20))
                #expect(others == ["b0", "b1"])
            }
        }

        @Test("one without servers is answered with 503", arguments: ["my-sticky-cookie", "region-cookie"])
        func noServers(_ name: String) async throws {
            let file = """
                http:
                  routers: {my-router: {rule: "PathPrefix(`/`)", service: my-service}}
                  services: {my-service: {loadBalancer: {sticky: {cookie: {name: \(name)}}}}}
                """
            try await with(backends: 0, file) { routed in
                let answer = try routed.exchange()
                #expect(answer.status == 503)
            }
        }

        @Test("the same in TOML")
        func toml() async throws {
            let file = """
                [http.routers.my-router]
                  rule = "PathPrefix(`/`)"
                  service = "my-service"

                [http.services.my-service.loadBalancer.sticky.cookie]
                  name = "my-sticky-cookie"

                [[http.services.my-service.loadBalancer.servers]]
                  url = "B0"
                [[http.services.my-service.loadBalancer.servers]]
                  url = "B1"
                """
            try await with(file, fileName: "dynamic.toml") { routed in
                let first = try routed.exchange()
                let cookie = try #require(first.cookie)
                #expect(cookie.hasPrefix("my-sticky-cookie="))
                let home = try first.servedBy()
                for _ in 0..<6 { #expect(try routed.backend(fields: ["Cookie": cookie]) == home) }
            }
        }

        @Test("a region kept in a cookie of the application routes by a rule")
        func regionRule() async throws {
            let file = """
                http:
                  routers:
                    eu: { rule: "PathPrefix(`/`) && Cookie(`region-cookie`, `eu`)", service: eu }
                    other: { rule: "PathPrefix(`/`)", service: other }
                  services:
                    eu: { loadBalancer: { servers: [ { url: B0 } ] } }
                    other: { loadBalancer: { servers: [ { url: B1 } ] } }
                """
            try await with(file) { routed in
                let cookies = ["a=b; region-cookie=eu", "region-cookie=us", "region=eu"]
                let backends = try cookies.map { try routed.backend(fields: ["Cookie": $0]) }
                #expect(backends == ["b0", "b1", "b1"])
            }
        }
    }
}
