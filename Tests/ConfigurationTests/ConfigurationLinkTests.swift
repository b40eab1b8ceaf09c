import Affinity
import LimpetTestKit
import Proxy
import Routing
import Testing

@testable import Configuration

@Suite("Names in a configuration")
struct ConfigurationLinkTests {
    typealias Reading = ConfigurationReading

    private static func services(_ text: String) -> [(name: String, text: String)] {
        [("f", "http:\n services:\n" + text.split(separator: "\n").map { "  \($0)\n" }.joined())]
    }

    private static let a = "a: { loadBalancer: { servers: [{ url: \"http://a\" }] } }\n"
    private static let b = "b: { loadBalancer: { servers: [{ url: \"http://b\" }] } }\n"

    @Test("are found in other files, and services named by index in the order of their names")
    func acrossFiles() throws {
        let routers = "http: { routers: { r: { rule: \"Path(`/`)\", service: b@file, middlewares: [m] } } }"
        let middlewares = "[http.middlewares.m.addPrefix]\nprefix = \"/x\""
        let files = [("1.yml", routers)] + Self.services(Self.b + Self.a) + [("m.toml", middlewares)]
        let configuration = try #require(Reading.read(files).configuration)
        #expect(configuration.services.map(\.name) == ["a", "b"])
        #expect(configuration.routers.map(\.service) == [1] && configuration.routers[0].origin == "1.yml:1")
        #expect(configuration.routers[0].middlewares == [.addPrefix("/x")])
    }

    @Test("stand once: in two files both places are named")
    func twice() {
        let text = "http:\n  services:\n    a: { loadBalancer: { servers: [{ url: \"http://a\" }] } }\n"
        #expect(
            Reading.diagnostics([("1.yml", text), ("2.yml", text)]) == [
                "2.yml:3:5: http.services.a: is already defined at 1.yml:3"
            ])
    }

    @Test("of files and containers are kept apart")
    func providers() throws {
        let yaml = """
            http:
              routers:
                own: { rule: "Path(`/1`)", service: web }
                other: { rule: "Path(`/2`)", service: web@docker, middlewares: [m@docker] }
              services: { web: { loadBalancer: { servers: [{ url: "http://f" }] } } }
            """
        let labels = [
            "traefik.http.services.web.loadbalancer.server.port": "80", "traefik.http.routers.r.rule": "Path(`/3`)",
            "traefik.http.middlewares.m.addprefix.prefix": "/x", "traefik.http.routers.r.service": "web@file",
        ]
        let reading = Reading.read([("f", yaml)], [Reading.container("c", 1, labels)])
        #expect(reading.diagnostics.isEmpty)
        let configuration = try #require(reading.configuration)
        #expect(configuration.services.map(\.name) == ["web", "web@docker"])
        #expect(configuration.routers.map(\.name) == ["other", "own", "r@docker"])
        #expect(configuration.routers.map(\.service) == [1, 0, 0])
        #expect(configuration.routers[0].middlewares == [.addPrefix("/x")])
    }

    @Test("of containers that are away leave a warning, and a router that answers 503")
    func away() throws {
        let yaml = """
            http:
              routers:
                a: { rule: "Path(`/1`)", service: web@docker }
                b: { rule: "Path(`/2`)", service: web, middlewares: [auth@docker] }
              services: { web: { loadBalancer: { servers: [{ url: "http://f" }] } } }
            """
        let reading = Reading.read([("f", yaml)])
        #expect(
            reading.diagnostics.map(\.description) == [
                "f:3:39: warning: http.routers.a.service: service web@docker is not defined at the moment: "
                    + "the router answers 503 until it is",
                "f:4:58: warning: http.routers.b.middlewares[0]: middleware auth@docker is not defined at the moment: "
                    + "the router answers 503 until it is",
            ])
        let configuration = try #require(reading.configuration)
        #expect(configuration.routers.map(\.service) == [nil, nil] && configuration.routers[1].middlewares.isEmpty)
    }

    @Test("that nothing has are mistakes, with what was probably meant")
    func unknown() {
        let yaml = """
            http:
              routers:
                r: { rule: "Path(`/`)", service: shpo, middlewares: [autg, x@kubernetescrd, "", x@] }
              services: { shop: { loadBalancer: { servers: [{ url: "http://f" }] } } }
              middlewares: { auth: { addPrefix: { prefix: /a } } }
            """
        #expect(
            Reading.diagnostics([("f", yaml)]) == [
                "f:3:38: http.routers.r.service: service shpo is not defined, did you mean shop?",
                "f:3:58: http.routers.r.middlewares[0]: middleware autg is not defined, did you mean auth?",
                "f:3:64: http.routers.r.middlewares[1]: names the provider kubernetescrd, "
                    + "which is not available in this version: use file or docker",
                "f:3:81: http.routers.r.middlewares[2]: must not be empty",
                "f:3:85: http.routers.r.middlewares[3]: has no provider after @: use file or docker",
            ])
    }

    @Test("of weighted services are found, whatever the order of the file, and keep how they are written")
    func weighted() throws {
        let text =
            "w: { weighted: { services: [{ name: b@file, weight: 3 }, { name: a }], "
            + "sticky: { cookie: { name: lvl1 } } } }\n"
        let configuration = try #require(Reading.read(Self.services(text + Self.b + Self.a)).configuration)
        let expected = [
            WeightedService(reference: ServiceReference(service: 1, name: "b@file"), weight: 3),
            WeightedService(reference: ServiceReference(service: 0, name: "a"), weight: 1),
        ]
        let service = configuration.services[2]
        #expect(service.targets == .services(expected) && service.backends.isEmpty)
        #expect(service.sticky?.cookie?.name == "lvl1" && service.strategy == .hrw)
    }

    @Test("of a weighted service that a container is to have are kept while it is away")
    func weightedAway() throws {
        let text = "w: { weighted: { services: [{ name: zz@docker }, { name: a }, { name: aa@docker }] } }\n"
        let reading = Reading.read(Self.services(text + Self.a))
        #expect(reading.diagnostics.count == 2 && reading.diagnostics.allSatisfy { $0.severity == .warning })
        let configuration = try #require(reading.configuration)
        #expect(configuration.services.map(\.name) == ["a", "aa@docker", "w", "zz@docker"])
        let children = configuration.services[2].children
        #expect(children.map(\.service) == [3, 0, 1] && children.map(\.name) == ["zz@docker", "a", "aa@docker"])
    }

    @Test("of a failover are found, also while a container is away, and keep how they are written")
    func failover() throws {
        let text =
            "z: { failover: { service: aa@docker, fallback: a@file, healthCheck: {}, "
            + "errors: { status: [500-504, 429] } } }\n"
        let reading = Reading.read(Self.services(text + Self.a))
        #expect(
            reading.diagnostics.map(\.description) == [
                "f:3:29: warning: http.services.z.failover.service: service aa@docker is not defined at the moment: "
                    + "the fallback takes its requests until it is"
            ])
        let configuration = try #require(reading.configuration)
        #expect(configuration.services.map(\.name) == ["a", "aa@docker", "z"])
        #expect(
            configuration.services[2].targets
                == .failover(
                    FailoverSettings(
                        main: ServiceReference(service: 1, name: "aa@docker"),
                        fallback: ServiceReference(service: 0, name: "a@file"), statuses: [500...504, 429...429])))
    }

    @Test("of cookies that a weighted service above has take out the containers that say them, and nothing else")
    func cookieOfContainer() throws {
        let file =
            "w: { weighted: { services: [{ name: v }], sticky: { cookie: { name: lvl } } } }\n"
            + "v: { weighted: { services: [{ name: a@docker }, { name: b@docker }] } }\n"
        func container(_ name: String, _ number: Int, _ cookie: String) -> DockerContribution {
            Reading.container(
                "\(name)\(number)", number,
                [
                    "traefik.http.services.\(name).loadbalancer.sticky.cookie.name": cookie,
                    "traefik.http.routers.\(name).rule": "Path(`/`)",
                ])
        }
        let containers = [container("a", 1, "lvl"), container("a", 2, "lvl"), container("b", 3, "own")]
        let reading = Reading.read(Self.services(file), containers)
        let message = "has the same cookie lvl as the weighted service w above it: give each level its own cookie name"
        #expect(
            reading.diagnostics.map(\.description) == [
                "f:4:39: warning: http.services.v.weighted.services[0].name: service a@docker is not defined at the moment: "
                    + "the other services take its share until it is",
                "container a1: traefik.http.services.a: \(message)",
                "container a2: traefik.http.services.a: \(message)",
            ])
        let configuration = try #require(reading.configuration)
        #expect(configuration.services.map(\.name) == ["a@docker", "b@docker", "v", "w"])
        #expect(configuration.services.map(\.backends.count) == [0, 1, 0, 0])
        #expect(configuration.routers.map(\.name) == ["b@docker"])
    }

    static let mistaken: [(String, [String])] = [
        (
            "w: { weighted: { services: [{ name: x }, { name: a }, { name: a@file, weight: -1 }, {}] } }\n" + a,
            [
                "3:39: http.services.w.weighted.services[0].name: service x is not defined",
                "3:65: http.services.w.weighted.services[2].name: is the same service as services[1]",
                "3:81: http.services.w.weighted.services[2].weight: is -1: must be a whole number from 0 to 65535",
                "3:87: http.services.w.weighted.services[3].name: is missing: name a service",
            ]
        ),
        (
            "w: { weighted: { services: [], healthCheck: { path: /h } } }",
            [
                "3:30: http.services.w.weighted.services: must name a service",
                "3:34: http.services.w.weighted.healthCheck: must be empty: "
                    + "the services that it names have health checks of their own",
            ]
        ),
        (
            "w: { weighted: { services: [{ name: a }] }, loadBalancer: { servers: [{ url: \"http://a\" }] } }\n" + a,
            ["3:8: http.services.w.weighted: cannot be combined with loadBalancer"]
        ),
        (
            "x: { weighted: { services: [{ name: y }] } }\ny: { weighted: { services: [{ name: a }, { name: z }] } }\n"
                + "z: { weighted: { services: [{ name: x }] } }\n" + a,
            ["3:6: http.services.x: refers back to itself: x → y → z → x"]
        ),
        (
            "x: { weighted: { services: [{ name: x }] } }",
            ["3:6: http.services.x: refers back to itself: x → x"]
        ),
        (
            "a: { weighted: { services: [{ name: c }] } }\nb: { weighted: { services: [{ name: c }] } }\n"
                + "c: { weighted: { services: [{ name: d }, { name: b }] } }\n"
                + "d: { weighted: { services: [{ name: d2 }] } }\nd2: { weighted: { services: [{ name: d }] } }\n"
                + "e: { weighted: { services: [{ name: f }, { name: e }] } }\n"
                + "f: { weighted: { services: [{ name: e }] } }\n",
            [
                "4:6: http.services.b: refers back to itself: b → c → b",
                "6:6: http.services.d: refers back to itself: d → d2 → d",
                "8:6: http.services.e: refers back to itself: e → e",
            ]
        ),
        (
            "v: { weighted: { services: [{ name: w }], sticky: { cookie: { name: c } } } }\n"
                + "w: { weighted: { services: [{ name: x }, { name: y }] } }\n"
                + "x: { loadBalancer: { servers: [{ url: \"http://x\" }], sticky: { cookie: { name: c } } } }\n"
                + "y: { loadBalancer: { servers: [{ url: \"http://y\" }], sticky: { cookie: { name: c } } } }",
            ["3:6: http.services.v: has the same cookie c as a service below it: give each level its own cookie name"]
        ),
        (
            "f: { failover: { service: f, fallback: a } }\n" + a,
            ["3:6: http.services.f: refers back to itself: f → f"]
        ),
        (
            "f: { failover: { service: a, fallback: a@file } }\ng: { failover: { service: a } }\n" + a,
            [
                "3:42: http.services.f.failover.fallback: is the same service as service",
                "4:8: http.services.g.failover.fallback: is missing: name the service that takes what the first one cannot take",
            ]
        ),
        (
            "f: { failover: { service: a, fallback: b, errors: { maxRequestBodyBytes: 1024 } } }\n" + a + b,
            [
                "3:45: http.services.f.failover.errors.status: is missing: name statuses, such as 500-504",
                "3:76: http.services.f.failover.errors.maxRequestBodyBytes: is not supported: a request with a body is "
                    + "sent once. Remove it; the fallback gets requests without a body",
            ]
        ),
        (
            "f: { failover: { service: a, fallback: b, errors: { status: [504-500, 99, x, 500-] } } }\n" + a + b,
            (0..<4).map {
                "3:\([64, 73, 77, 80][$0]): http.services.f.failover.errors.status[\($0)]: "
                    + "must be a status from 200 to 599, or a range such as 502-504"
            }
        ),
        (
            "f: { failover: { service: a, falback: b } }\ns: { mirroring: {} }\n"
                + "t: { loadBalancer: { servers: [{url: \"http://a\"}], healthCheck: { pth: /h } } }",
            [
                "3:8: http.services.f.failover.fallback: is missing: name the service that takes what the first one cannot take",
                "3:32: http.services.f.failover.falback: unknown key, did you mean fallback?",
                "4:8: http.services.s.mirroring: is not available in this version",
                "5:54: http.services.t.loadBalancer.healthCheck.path: is missing: write a path such as /health",
                "5:69: http.services.t.loadBalancer.healthCheck.pth: unknown key, did you mean path?",
            ]
        ),
        (
            "h: { highestRandomWeight: { services: [], sticky: {} } }\n"
                + "p: { loadBalancer: { servers: [{url: \"http://a\"}], serversTransport: t,\n"
                + " passiveHealthCheck: { maxFailed: 1 }, responseForwarding: { flushInterval: 1s } } }",
            [
                "3:8: http.services.h.highestRandomWeight: is not available in this version",
                "3:45: http.services.h.highestRandomWeight.sticky: unknown key: the keys here are services, healthCheck",
                "4:72: http.services.p.loadBalancer.serversTransport: servers transport t is not defined",
                "5:26: http.services.p.loadBalancer.passiveHealthCheck.maxFailed: unknown key: "
                    + "the keys here are failureWindow, maxFailedAttempts, statuses",
                "5:42: http.services.p.loadBalancer.responseForwarding: is not available in this version",
            ]
        ),
    ]

    @Test("of services are named where they are wrong", arguments: mistaken.indices)
    func isNamed(_ index: Int) {
        let (text, expected) = Self.mistaken[index]
        #expect(Reading.diagnostics(Self.services(text)) == expected.map { "f:\($0)" })
    }

    @Test("of weighted services lead eight levels down and no further")
    func levels() async throws {
        try await Threads.run {
            func chain(_ count: Int) -> [String] {
                let links = (1...count).map { "s\($0): { weighted: { services: [{ name: s\($0 - 1) }] } }\n" }
                let last = "s0: { loadBalancer: { servers: [{ url: \"http://a\" }] } }\n"
                return Reading.diagnostics(Self.services(last + links.joined()))
            }
            #expect(chain(8) == [])
            #expect(chain(12) == ["f:12:7: http.services.s9: nests services more than 8 levels deep"])
            #expect(chain(20_000).count == 1)
        }
    }

    @Test("of entry points are any where these are not known")
    func entryPoints() {
        let text =
            "http: { routers: { r: { rule: \"Path(`/`)\", service: a, entryPoints: [x, []] } }, services: { a: { loadBalancer: { servers: [{url: \"http://a\"}] } } } }"
        let source = SourceText(name: "f", text: text, role: .dynamic)
        let context = HTTPContext(entryPointNames: nil, lease: .milliseconds(500))
        let diagnostics = HTTPReading(files: [source], containers: [], context: context).diagnostics
        #expect(
            diagnostics.map(\.description) == ["f:1:73: http.routers.r.entryPoints[1]: must be a string, but is a list"]
        )
    }

    @Test("of Traefik's other protocols in a file are refused")
    func otherProtocols() {
        #expect(
            Reading.diagnostics([("f", "tcp: {}\nudp: {}\ntls: {}\nhtpp: {}\n")]) == [
                "f:1:1: tcp: is not available in this version", "f:2:1: udp: is not available in this version",
                "f:4:1: htpp: unknown key, did you mean http?",
            ])
    }
}
