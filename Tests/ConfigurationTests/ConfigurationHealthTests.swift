import Affinity
import Configuration
import Foundation
import LimpetTestKit
import Proxy
import Testing

@Suite("A health check in a configuration")
struct ConfigurationHealthTests {
    private static let everything = HealthCheck(
        path: "/health?deep=1", method: "HEAD", hostname: "shop.example:81", port: 9000, status: 204,
        headers: [.init(name: "Accept", value: "text/plain"), .init(name: "X-From", value: "limpet")],
        followsRedirects: false,
        pace: CheckPace(
            intervalMilliseconds: 2000, unhealthyIntervalMilliseconds: 500, timeoutMilliseconds: 250, rise: 2, fall: 3))

    @Test("needs a path, and has Traefik's defaults")
    func defaults() throws {
        let service = try ConfigurationSample.service("{ servers: [{url: \"http://a\"}], healthCheck: { path: /h } }")
        let check = try #require(service.healthCheck)
        #expect(check == HealthCheck(path: "/h"))
        #expect(check.method == "GET" && check.status == nil && check.port == nil && check.followsRedirects)
        #expect(check.pace.intervalMilliseconds == 30_000 && check.pace.unhealthyIntervalMilliseconds == 30_000)
        #expect(check.pace.timeoutMilliseconds == 5000 && check.pace.rise == 1 && check.pace.fall == 1)
        let short = try ConfigurationSample.service(
            "{ servers: [{url: \"http://a\"}], healthCheck: { path: h, interval: 2s } }")
        #expect(short.healthCheck?.path == "/h" && short.healthCheck?.pace.unhealthyIntervalMilliseconds == 2000)
        #expect(try ConfigurationSample.service("{ servers: [{url: \"http://a\"}] }").healthCheck == nil)
    }

    @Test("is read in YAML")
    func yaml() throws {
        let yaml = """
            { servers: [{url: "http://a"}], healthcheck: { Path: "/health?deep=1", mode: http, scheme: http, method: head,
            hostname: "shop.example:81", port: 9000, status: 204, headers: { X-From: limpet, Accept: "text/plain" },
            followRedirects: false, interval: 2s, unhealthyInterval: 500ms, timeout: 250ms, rise: 2, fall: 3 } }
            """
        var expected = Self.everything
        expected.scheme = .http
        #expect(try ConfigurationSample.service(yaml).healthCheck == expected)
        expected.scheme = .https
        let secure = yaml.replacingOccurrences(of: "scheme: http", with: "scheme: https")
        #expect(try ConfigurationSample.service(secure).healthCheck == expected)
        expected.scheme = .h2c
        let prior = yaml.replacingOccurrences(of: "scheme: http", with: "scheme: h2c")
        #expect(try ConfigurationSample.service(prior).healthCheck == expected)
    }

    @Test("by gRPC needs no path")
    func grpc() throws {
        let service = try ConfigurationSample.service(
            "{ servers: [{url: \"h2c://a\"}, {url: \"https://a\"}], healthCheck: { mode: grpc, interval: 2s } }")
        let check = try #require(service.healthCheck)
        #expect(check.mode == .grpc && check.path == "/grpc.health.v1.Health/Check" && check.scheme == nil)
        #expect(service.backends.map(\.isHTTP2) == [true, false] && service.backends.map(\.port) == [80, 443])
    }

    @Test("is the same in TOML")
    func toml() throws {
        let toml = """
            [http.services.shop.loadBalancer]
            servers = [{ url = "http://a" }]
            [http.services.shop.loadBalancer.healthCheck]
            path = "/health?deep=1"
            method = "HEAD"
            hostname = "shop.example:81"
            port = 9000
            status = 204
            followRedirects = false
            interval = "2s"
            unhealthyInterval = "500ms"
            timeout = "250ms"
            rise = 2
            fall = 3
            [http.services.shop.loadBalancer.healthCheck.headers]
            X-From = "limpet"
            Accept = "text/plain"
            """
        let read = ConfigurationReading.read([("d.toml", toml)], [])
        #expect(read.diagnostics.map(\.description) == [])
        #expect(read.configuration?.services.first?.healthCheck == Self.everything)
    }

    @Test("is the same in labels")
    func labels() throws {
        let prefix = "traefik.http.services.shop.loadbalancer.healthcheck"
        let labels = [
            "path": "/health?deep=1", "method": "HEAD", "hostname": "shop.example:81", "port": "9000", "status": "204",
            "headers.X-From": "limpet", "headers.Accept": "text/plain", "followredirects": "false", "interval": "2s",
            "unhealthyinterval": "500ms", "timeout": "250ms", "rise": "2", "fall": "3",
        ]
        let reading = ConfigurationReading.read(
            [],
            [
                ConfigurationReading.container(
                    "web", 1, Dictionary(uniqueKeysWithValues: labels.map { ("\(prefix).\($0.key)", $0.value) }))
            ])
        #expect(reading.diagnostics.map(\.description) == [])
        #expect(reading.configuration?.services.first?.healthCheck == Self.everything)
    }

    @Test("of two containers of a service must be the same")
    func conflict() throws {
        let label = "traefik.http.services.shop.loadbalancer.healthcheck.path"
        let reading = ConfigurationReading.read(
            [],
            [
                ConfigurationReading.container("a", 1, [label: "/a"]),
                ConfigurationReading.container("b", 2, [label: "/b"]),
            ])
        #expect(reading.configuration?.services.map(\.healthCheck?.path) == ["/a"])
        #expect(reading.configuration?.services.first?.backends.count == 1)
        #expect(reading.diagnostics.contains { "\($0)".contains("container b") && "\($0)".contains("conflicts") })
    }

    @Test("passive: counts connection errors by default, and statuses that are chosen")
    func passive() throws {
        func passive(_ text: String) throws -> PassiveHealthCheck? {
            try ConfigurationSample.service("{ servers: [{url: \"http://a\"}], passiveHealthCheck: \(text) }")
                .passiveHealthCheck
        }
        let defaults = PassiveHealthCheck(windowMilliseconds: 10_000, failuresMax: 1, statuses: [])
        try #expect(passive("{}") == defaults && passive("true") == defaults && passive("false") == nil)
        try #expect(
            passive("{ failureWindow: 3s, maxFailedAttempts: 5, statuses: [500, 502-504] }")
                == PassiveHealthCheck(windowMilliseconds: 3000, failuresMax: 5, statuses: [500...500, 502...504]))
        let prefix = "traefik.http.services.shop.loadbalancer"
        let reading = ConfigurationReading.read(
            [],
            [
                ConfigurationReading.container(
                    "web", 1,
                    [
                        "\(prefix).passivehealthcheck": "true", "\(prefix).passivehealthcheck.statuses": "502-504,500",
                        "\(prefix).slowstart": "30s",
                    ])
            ])
        #expect(reading.diagnostics.map(\.description) == [])
        let service = try #require(reading.configuration?.services.first)
        #expect(service.passiveHealthCheck?.statuses == [502...504, 500...500] && service.slowStart == .seconds(30))
        try #expect(ConfigurationSample.service("{ servers: [{url: \"http://a\"}] }").slowStart == .zero)
    }
}
