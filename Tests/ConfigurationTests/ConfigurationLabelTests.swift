import Affinity
import Configuration
import LimpetTestKit
import Proxy
import Routing
import Testing

@Suite("The labels of containers")
struct ConfigurationLabelTests {
    typealias Reading = ConfigurationReading

    @Test("that say nothing make Traefik's router and service")
    func defaults() throws {
        let reading = Reading.read([], [Reading.container("web", 1, ["other.label": "x"], ports: [80, 8080])])
        #expect(reading.diagnostics.isEmpty)
        let configuration = try #require(reading.configuration)
        #expect(configuration.routers.map(\.name) == ["web-default@docker"])
        #expect(configuration.routers[0].router.rule.text == "Host(`web.local`)")
        #expect(configuration.routers[0].service == 0 && configuration.routers[0].origin == "container web")
        #expect(configuration.routers[0].router.entryPoints == [0, 1])
        let backend = BackendSettings(name: "id-1", url: "http://10.0.0.1:80", host: "10.0.0.1", port: 80)
        #expect(
            configuration.services == [ServiceSettings(name: "web-default@docker", targets: .servers([backend]))])
    }

    @Test("are read as Traefik's users write them, in any case of their keys")
    func wild() throws {
        let labels = [
            "traefik.enable": "true",
            "traefik.http.routers.MyApp.rule": "Host(`a.b`)",
            "traefik.http.routers.MyApp.entrypoints": "web, websecure",
            "traefik.HTTP.Routers.MyApp.Middlewares": "strip@docker,auth",
            "traefik.http.routers.MyApp.priority": "7",
            "traefik.http.services.my-service.loadbalancer.server.port": "8080",
            "traefik.http.services.my-service.LoadBalancer.Server.Weight": "3",
            "traefik.http.services.my-service.loadbalancer.sticky.cookie.name": "my-cookie",
            "traefik.http.services.my-service.loadbalancer.sticky.cookie": "true",
            "limpet.http.services.my-service.loadbalancer.sticky.header": "X-Session-ID",
            "traefik.http.middlewares.strip.stripprefix.prefixes[0]": "/api",
            "traefik.http.middlewares.strip.stripprefix.prefixes[1]": "/v2",
            "traefik.http.middlewares.auth.headers.customrequestheaders.X-Script-Name": "test",
            "traefik.http.middlewares.auth.headers.customrequestheaders.Cookie": "",
        ]
        let reading = Reading.read([], [Reading.container("app", 1, labels)])
        #expect(reading.diagnostics.map(\.description) == [])
        let configuration = try #require(reading.configuration)
        let router = try #require(configuration.routers.first)
        #expect(router.name == "MyApp@docker" && router.router.priority == 7 && router.router.entryPoints == [0, 1])
        let field = HeaderEdits.Field(name: "X-Script-Name", value: "test")
        #expect(
            router.middlewares == [
                .stripPrefix(["/api", "/v2"]), .headers(HeaderEdits(requestSet: [field], requestRemove: ["Cookie"])),
            ])
        let service = try #require(configuration.services.first)
        #expect(service.name == "my-service@docker" && service.backends.map(\.url) == ["http://10.0.0.1:8080"])
        #expect(service.backends[0].weight == 3 && service.strategy == .hrw)
        #expect(service.sticky?.cookie?.name == "my-cookie")
        #expect(service.sticky?.sources.first == .header(name: "X-Session-ID", learns: false))
    }

    @Test("of one container name an object in any case, and the first in the order of bytes counts")
    func casesOfNames() throws {
        let labels = [
            "traefik.http.routers.myRouter.rule": "Path(`/`)", "traefik.http.routers.myrouter.middlewares": "auth",
            "traefik.http.middlewares.auth.headers.customrequestheaders.X-A": "1",
            "traefik.http.middlewares.AUTH.headers.customrequestheaders.x-a": "1",
            "traefik.http.routers.MYROUTER.service": "web",
            "traefik.http.services.web.loadbalancer.server.port": "1",
        ]
        let reading = Reading.read(
            [], [Reading.container("a", 1, labels.mapValues { $0 == "auth" ? "AUTH" : $0 })])
        #expect(reading.diagnostics.map(\.description) == [])
        let configuration = try #require(reading.configuration)
        #expect(configuration.routers.map(\.name) == ["MYROUTER@docker"])
        #expect(configuration.routers[0].router.rule.text == "Path(`/`)")
        let field = HeaderEdits.Field(name: "x-a", value: "1")
        #expect(configuration.routers[0].middlewares == [.headers(HeaderEdits(requestSet: [field]))])
    }

    @Test("name the cookie of a service as Traefik does")
    func cookieName() throws {
        let label = "traefik.http.services.app.loadbalancer.sticky.cookie"
        let reading = Reading.read([], [Reading.container("a", 1, [label: "true"])])
        #expect(reading.configuration?.services.first?.sticky?.cookie?.name == "_a9f6e")
    }

    /// Labels of the container `web`, and what is said about them, without `container web: `.
    static let mistaken: [([String: String], [String])] = [
        (
            ["traefik.http.services.x.loadbalancer.sticky.cookie.nam": "a"],
            ["traefik.http.services.x.loadbalancer.sticky.cookie.nam: unknown key, did you mean name?"]
        ),
        (
            ["Traefik.http.Routers.r.Rul": "a", "Traefik.http.Routers.r.Rule": "Host(`a`"],
            [
                "Traefik.http.Routers.r.Rul: unknown key, did you mean rule?",
                "Traefik.http.Routers.r.Rule: found the end of the rule, expected \",\" or \")\"\n"
                    + "    Host(`a`\n            ^",
            ]
        ),
        (
            ["traefik.http.routers.r.rule": "Path(`/a`)", "limpet.http.routers.r.rule": "Path(`/b`)"],
            ["traefik.http.routers.r.rule: conflicts with the label limpet.http.routers.r.rule"]
        ),
        (
            ["traefik.http.routers.r.tls": "maybe", "traefik.http.services.s.loadbalancer.server.scheme": "h3"],
            [
                "traefik.http.services.s.loadbalancer.server.scheme: is h3: must be one of http, https, h2c",
                "traefik.http.routers.r.tls: is maybe: must be true or false",
            ]
        ),
        (
            ["traefik.http.routers..rule": "a", "traefik.http.routers.a[x].rule": "a"],
            [
                "traefik.http.routers..rule: is malformed: write a name between dots and a whole number in brackets",
                "traefik.http.routers.a[x].rule: is malformed: write a name between dots and a whole number in brackets",
            ]
        ),
        (
            ["traefik.http.middlewares.m.stripprefix.prefixes[1]": "/a"],
            [
                "traefik.http.middlewares.m.stripprefix.prefixes[1]: leaves a gap: indices must count from 0 without gaps",
                "traefik.http.middlewares.m.stripprefix.prefixes: must name a prefix, such as /api",
            ]
        ),
        (
            ["traefik.http.routers.r": "a", "traefik.http.routers.r.rule": "Path(`/`)"],
            [
                "traefik.http.routers.r: must not have a value of its own: the label traefik.http.routers.r.rule defines a key below it"
            ]
        ),
        (
            [
                "traefik.http.services.a.loadbalancer.server.port": "1",
                "traefik.http.services.b.loadbalancer.server.port": "2", "traefik.http.routers.r.rule": "Path(`/`)",
            ], ["traefik.http.routers.r.service: is missing: name one of the container\'s services: a, b"]
        ),
        (
            [
                "traefik.http.services.s.loadbalancer.server.url": "http://a:1",
                "traefik.http.services.s.loadbalancer.server.port": "http",
            ],
            [
                "traefik.http.services.s.loadbalancer.server.port: is http: must be a whole number from 1 to 65535",
                "traefik.http.services.s.loadbalancer.server.port: cannot be combined with url",
            ]
        ),
        (
            ["traefik.http.services.s.weighted.services[0].name": "a"],
            ["traefik.http.services.s.weighted: is not available in this version"]
        ),
        (
            [
                "traefik.http.routers.r.service": "shop2",
                "traefik.http.services.shop.loadbalancer.passhostheader": "true",
            ],
            ["traefik.http.routers.r.service: service shop2 is not defined, did you mean shop?"]
        ),
        (
            ["traefik.http.routers.a" + String(repeating: "[0]", count: 40): "x"],
            [
                "traefik.http.routers.a" + String(repeating: "[0]", count: 40)
                    + ": has more than 24 parts, counting those in brackets"
            ]
        ),
        (
            ["traefik.http.routers.a" + String(repeating: "[0]", count: 4000): "x"],
            ["traefik.http.routers.a" + String(repeating: "[0]", count: 26) + "…: is longer than 1024 bytes"]
        ),
        (
            ["traefik.http.routers.R.rule": "Path(`/a`)", "traefik.http.routers.r.rule": "Path(`/b`)"],
            ["traefik.http.routers.r.rule: conflicts with the label traefik.http.routers.R.rule"]
        ),
        (
            ["traefik.htttp.routers.r.rule": "a", "traefik.http.routers.r.rule": "Path(`/`)", "traefik.wat": "a"],
            ["warning: traefik.htttp.routers.r.rule: has no effect, did you mean http?"]
        ),
    ]

    @Test("are named as they are written where they are wrong", arguments: mistaken.indices)
    func isNamed(_ index: Int) {
        let (labels, expected) = Self.mistaken[index]
        let diagnostics = Reading.diagnostics([], [Reading.container("web", 1, labels)])
        #expect(
            diagnostics
                == expected.map { "container web: \($0)" })
    }

    @Test("of one container with a mistake take nothing from the others")
    func others() throws {
        let bad = Reading.container("bad", 1, ["traefik.http.routers.r.rul": "x"])
        let reading = Reading.read([], [bad, Reading.container("good", 2)])
        #expect(reading.diagnostics.count == 1)
        #expect(reading.configuration?.routers.map(\.name) == ["good-default@docker"])
    }

    @Test("need a port only where a service of the container is asked for")
    func ports() {
        let label = "traefik.http.services.db-default.loadbalancer.server.port"
        #expect(
            Reading.diagnostics([], [Reading.container("db", 1, [:], ports: [])]) == [
                "container db: \(label): is missing: the container exposes no TCP port, so set the one it listens on"
            ])
        let elsewhere = ["traefik.http.routers.r.service": "other@file", "traefik.http.routers.r.rule": "Path(`/`)"]
        let reading = Reading.read(
            [("f.yml", "http: { services: { other: { loadBalancer: { servers: [{url: \"http://a\"}] } } } }")],
            [Reading.container("db", 1, elsewhere, ports: [])])
        #expect(reading.diagnostics.isEmpty && reading.configuration?.services.map(\.name) == ["other"])
    }

    @Test("of a container that is not reached keep its router, without a server")
    func unreachable() throws {
        var container = Reading.container("web", 1, [:], ports: [])
        container.host = nil
        let configuration = try #require(Reading.read([], [container]).configuration)
        #expect(configuration.routers.map(\.service) == [0] && configuration.services[0].backends.isEmpty)
    }

    private static let sticky = "traefik.http.services.s.loadbalancer.sticky.header"

    @Test("of several containers make one service, each server once")
    func merged() throws {
        let port = "traefik.http.services.s.loadbalancer.server.port"
        let url = "traefik.http.services.s.loadbalancer.server.url"
        let rule = ["traefik.http.routers.r.rule": "Path(`/`)"]
        let containers = [
            Reading.container("b", 2, rule.merging([port: "90"]) { $1 }, isDraining: true),
            Reading.container("a", 1, rule.merging([port: "80"]) { $1 }),
            Reading.container("c", 3, rule.merging([url: "http://10.0.0.1:80"]) { $1 }),
        ]
        let reading = Reading.read([], containers)
        #expect(
            reading.diagnostics.map(\.description) == [
                "container c: warning: traefik.http.services.s: has the server http://10.0.0.1:80, "
                    + "as another container does: it is used once"
            ])
        let configuration = try #require(reading.configuration)
        #expect(configuration.routers.map(\.name) == ["r@docker"])
        #expect(configuration.services.map(\.name) == ["s@docker"])
        #expect(configuration.services[0].backends.map(\.name) == ["id-1", "id-2"])
        #expect(configuration.services[0].backends.map(\.isDraining) == [false, true])
    }

    @Test("that contradict each other count in the order of creation, those of a stopping container last")
    func contradictions() throws {
        let rule = ["traefik.http.routers.r.rule": "Path(`/`)"]
        let old = Reading.container("old", 1, rule.merging([Self.sticky: "A"]) { $1 })
        let new = Reading.container("new", 2, rule.merging([Self.sticky: "B"]) { $1 })
        let reading = Reading.read([], [new, old])
        #expect(
            reading.diagnostics.map(\.description) == [
                "container new: traefik.http.services.s: conflicts with container old's definition of service s: "
                    + "this container is ignored"
            ])
        #expect(reading.configuration?.services[0].backends.map(\.name) == ["id-1"])
        let stopping = Reading.container("old", 1, rule.merging([Self.sticky: "A"]) { $1 }, isDraining: true)
        #expect(Reading.read([], [stopping, new]).configuration?.services[0].backends.map(\.name) == ["id-2"])
        let other = Reading.container("x", 3, ["traefik.http.routers.r.rule": "Path(`/b`)"])
        #expect(
            Reading.diagnostics([], [old, other]) == [
                "container x: traefik.http.routers.r: conflicts with container old's definition of router r: "
                    + "this container is ignored"
            ])
        let prefix = "traefik.http.middlewares.m.addprefix.prefix"
        let middlewares = Reading.read(
            [], [Reading.container("a", 1, [prefix: "/a"]), Reading.container("b", 2, [prefix: "/b"])])
        #expect(
            middlewares.diagnostics.map(\.description) == [
                "container b: traefik.http.middlewares.m: conflicts with container a's definition of middleware m: "
                    + "this container is ignored"
            ])
    }

    @Test("of TCP, UDP and TLS are warned of once, and make no router")
    func otherProtocols() throws {
        let labels = ["traefik.tcp.routers.r.rule": "HostSNI(`*`)"]
        let reading = Reading.read([], [Reading.container("a", 1, labels), Reading.container("b", 2, labels)])
        #expect(
            reading.diagnostics.map(\.description) == [
                "container a: warning: traefik.tcp.routers.r.rule: has no effect, in this or any other container: "
                    + "TCP, UDP and TLS are not available in this version"
            ])
        #expect(reading.configuration?.routers.isEmpty == true)
    }

    @Test("name objects of other containers, and what is away makes its router answer 503")
    func otherContainers() throws {
        let user = Reading.container(
            "user", 1, ["traefik.http.routers.r.rule": "Path(`/`)", "traefik.http.routers.r.middlewares": "m"])
        let owner = Reading.container("owner", 2, ["traefik.http.middlewares.m.addprefix.prefix": "/x"])
        let both = try #require(Reading.read([], [user, owner]).configuration)
        let router = try #require(both.routers.first { $0.name == "r@docker" })
        #expect(router.middlewares == [.addPrefix("/x")] && router.service != nil)
        let alone = Reading.read([], [user])
        #expect(
            alone.diagnostics.map(\.description) == [
                "container user: traefik.http.routers.r.middlewares: middleware m is not defined"
            ])
        #expect(alone.configuration?.routers.map(\.service) == [nil])
        #expect(alone.configuration?.services.map(\.name) == ["user-default@docker"])
    }

    @Test("never stop the process: any damage to them is read or named")
    func damage() async throws {
        try await Threads.run {
            let labels = Self.mistaken.flatMap { Array($0.0) }
            let parts =
                labels.flatMap { $0.key.split(separator: ".").map(String.init) } + ["", "[0]", "a[1]", "[", "]", "="]
            var generator = SeededRandom(seed: 5)
            var diagnostics = 0
            for _ in 0..<3000 {
                var damaged: [String: String] = [:]
                for _ in 0..<Int.random(in: 1...6, using: &generator) {
                    guard let label = labels.randomElement(using: &generator) else { return }
                    var words = label.key.split(separator: ".").map(String.init)
                    let place = Int.random(in: 1..<words.count, using: &generator)
                    words[place] = parts.randomElement(using: &generator) ?? ""
                    if Bool.random(using: &generator) { words.append(parts.randomElement(using: &generator) ?? "") }
                    damaged[words.joined(separator: ".")] = label.value
                }
                let reading = Reading.read([], [Reading.container("web", 1, damaged), Reading.container("good", 2)])
                diagnostics += reading.diagnostics.isEmpty ? 0 : 1
                #expect(reading.configuration?.routers.contains { $0.name == "good-default@docker" } == true)
            }
            #expect(diagnostics > 1000)
        }
    }
}
