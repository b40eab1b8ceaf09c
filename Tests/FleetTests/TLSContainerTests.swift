import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// As Traefik's users write them, with containers of a real Engine.
    @Suite(
        "Labels of containers that speak of TLS",
        .enabled(if: DockerTestEngine.obstacle == nil, "\(DockerTestEngine.obstacle ?? "")"))
    struct TLSContainerTests {
        private static let settings = """
            tls: { certificates: [{ certFile: "DIR/served.pem", keyFile: "DIR/served.key" }] }
            serversTransport: { rootCAs: ["DIR/ca.pem"], serverName: back.example }

            """

        private static func options(_ router: String, _ host: String, _ more: [String: String])
            -> DockerTestEngine.Options
        {
            var options = DockerTestEngine.Options()
            options.labels = [
                "traefik.http.routers.\(router).rule": "Host(`\(host)`)",
                "traefik.http.routers.\(router).entrypoints": "websecure",
                "traefik.http.routers.\(router).tls": "true",
            ].merging(more) { $1 }
            return options
        }

        /// The name of the backend that answers over TLS, or what went wrong.
        private static func ask(_ fleet: ContainerFleet, _ port: Int, _ host: String) throws -> String {
            var connection = TLSClient.Connection(port: port, serverName: host)
            connection.authority = "\(fleet.engine.directory)/ca.pem"
            connection.request = "GET / HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n"
            let outcome = try TLSClient.run([connection])[0]
            let field = outcome.response?.components(separatedBy: "\r\n").first {
                $0.lowercased().hasPrefix("x-backend: ")
            }
            return field.map { String($0.dropFirst(11)) } ?? outcome.status.map { "\($0)" } ?? outcome.error
                ?? "nothing"
        }

        @Test("tls=true, tls.certresolver, entrypoints=websecure and server.scheme=https do what they say")
        func labels() async throws {
            let ports = try (0..<2).map { _ in try LoopbackPort.free() }
            let fleet = { @Sendable in
                try ContainerFleet(securePorts: ports, settings: Self.settings) { directory in
                    let authority = try TestAuthority(in: directory)
                    _ = try authority.issue("served", "DNS:*.shop.example")
                    _ = try authority.issue("back", "DNS:back.example")
                }
            }
            let ends = try await withContainers(fleet) { fleet in
                let resolver = "tls.certresolver"
                _ = try fleet.engine.runWhoami(
                    "one",
                    Self.options("one", "one.shop.example", ["traefik.http.routers.one.\(resolver)": "le"]))
                _ = try fleet.engine.runWhoami(
                    "two", Self.options("two", "two.example", ["traefik.http.routers.two.\(resolver)": "le"]))
                var secure = Self.options(
                    "three", "three.shop.example",
                    [
                        "traefik.http.services.three.loadbalancer.server.scheme": "https",
                        "traefik.http.services.three.loadbalancer.server.port": "8443",
                    ])
                secure.exposedPorts = ["8443/tcp"]
                let pair = TestAuthority.Pair(
                    certificate: "\(fleet.engine.directory)/back.pem", key: "\(fleet.engine.directory)/back.key")
                _ = try fleet.engine.run(
                    "three", ["/usr/bin/python3"] + TLSBackend.arguments("three", pair, "0.0.0.0", 8443), secure)
                for (index, port) in ports.enumerated() {
                    for (host, wanted) in [("one", "one"), ("three", "three")] {
                        let isServed = Waiting.until(within: 20) {
                            (try? Self.ask(fleet, port, "\(host).shop.example")) == wanted
                        }
                        #expect(isServed, "\(host): \((try? Self.ask(fleet, port, "\(host).shop.example")) ?? "")")
                    }
                    let overview = try fleet.replicas[index].admin("/api/overview").text
                    #expect(overview.contains("certResolver has no effect"), "\(overview)")
                    #expect(overview.contains("no certificate covers two.example"), "\(overview)")
                    #expect(try Self.ask(fleet, port, "two.example").contains("UNRECOGNIZED_NAME"))
                    // Not at the other entry point, and not without TLS.
                    for host in ["one.shop.example", "two.example", "three.shop.example"] {
                        #expect(try fleet.exchange("/", at: index, host: host).status == 404, "\(host)")
                    }
                    let plain = HTTPRequest(fields: ["Connection": "close"], host: "one.shop.example")
                    #expect(try HTTPConnection(port: port).exchange(plain).status == 404)
                }
            }
            #expect(ends == [.exited(0), .exited(0)])
        }
    }
}
