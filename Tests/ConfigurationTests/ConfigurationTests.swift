import Affinity
import LimpetTestKit
import Proxy
import Routing
import Store
import Testing

@testable import Configuration

@Suite("A configuration")
struct ConfigurationTests {
    @Test("that says nothing has the defaults")
    func defaults() throws {
        for yaml in ["", "{}", "http:\n", "# nothing\n"] {
            let configuration = try ConfigurationSample.read(yaml).configuration
            #expect(configuration.entryPoints.map(\.name) == ["web"])
            #expect(configuration.entryPoints[0].address == ListenAddress(host: nil, port: 8000))
            #expect(configuration.admin == ListenAddress(host: "127.0.0.1", port: 8081))
            #expect(configuration.fleet == FleetSettings(secret: nil, cookieKeys: [], namespace: .limpet))
            #expect(configuration.replica == ReplicaSettings(name: "host-7", threads: 4, directSend: true))
            #expect(configuration.store == StoreOptions(redis: nil, cacheEntries: 1_000_000, lease: .milliseconds(500)))
            #expect(configuration.log == LogSettings(level: .info, format: .json))
            #expect(configuration.accessLog == nil)
            #expect(configuration.http.routers.isEmpty && configuration.http.services.isEmpty)
        }
    }

    static let whole = """
        entryPoints:
          web:   { address: ":8000", forwardedHeaders: { trustedIPs: ["10.0.0.0/8", "fd00::1"] } }
          inner: { address: "[::1]:8001" }
          admin: { address: "127.0.0.1:9081" }
        fleet:
          secret: 0123456789abcdef
          namespace: shop-fleet
        replica: { name: r1, threads: 2, directSend: false }
        store:
          redis:
            endpoints: ["redis://redis.internal:6380/2"]
            username: limpet
            password: hunter2
            connections: 6
            connectTimeout: 1s
            commandTimeout: 15ms
          cache: { entries: 5000 }
          lease: 400ms
        log: { level: WARN, format: common }
        accessLog: { format: json, filePath: access.log }
        http:
          routers:
            shop: { rule: "Host(`shop.example`) && PathPrefix(`/`)", service: shop@file, entryPoints: [web] }
            all: { rule: "PathPrefix(`/`)", service: plain, priority: 1 }
          services:
            shop:
              loadBalancer:
                strategy: hrw
                sticky:
                  header: X-Session-ID
                  query: { name: sid, learn: false }
                  appCookie: { name: JSESSIONID, learn: false }
                  cookie: { name: shop_sid, secure: true, httpOnly: true, sameSite: Lax, maxAge: 60, path: /a, domain: b.c }
                  idleTimeout: 1h30m
                  absoluteTimeout: 12h
                  onUnavailable: detour
                servers:
                  - { url: "http://10.0.0.11:8080", name: web-1, weight: 3, draining: false }
                  - { url: "http://[fd00::12]/", weight: 0, draining: true }
            plain: { loadBalancer: { servers: [{ url: "http://plain" }] } }
        """

    @Test("is read whole, down to each value")
    func everyValue() throws {
        let file = try ConfigurationSample.read(Self.whole)
        let configuration = file.configuration
        #expect(file.warnings.isEmpty)
        #expect(
            configuration.entryPoints == [
                EntryPointSettings(name: "inner", address: ListenAddress(host: "::1", port: 8001), trustedPeers: []),
                EntryPointSettings(
                    name: "web", address: ListenAddress(host: nil, port: 8000),
                    trustedPeers: [try AddressRange("10.0.0.0/8"), try AddressRange("fd00::1/128")]),
            ])
        #expect(configuration.admin == ListenAddress(host: "127.0.0.1", port: 9081))
        #expect(configuration.fleet.secret == Secret(Array("0123456789abcdef".utf8)))
        #expect(configuration.fleet.namespace.description == "shop-fleet")
        #expect(configuration.replica == ReplicaSettings(name: "r1", threads: 2, directSend: false))
        #expect(
            configuration.store
                == StoreOptions(
                    redis: RedisOptions(
                        endpoint: RedisEndpoint(
                            address: .host("redis.internal", port: 6380),
                            credentials: RedisCredentials(username: "limpet", password: "hunter2"), database: 2),
                        connections: 6, connectTimeout: .seconds(1), commandTimeout: .milliseconds(15)),
                    cacheEntries: 5000, lease: .milliseconds(400)))
        #expect(configuration.log == LogSettings(level: .warning, format: .common))
        #expect(configuration.accessLog == AccessLogSettings(filePath: "access.log"))
        #expect(configuration.summary == "2 entry points, 2 routers, 2 services, 3 backends")
    }

    @Test("has the limits of an entry point, where 0 is none; the rest have their defaults")
    func transport() throws {
        func transport(_ section: String) throws -> TransportSettings {
            let file = try ConfigurationSample.read(
                "entryPoints: { web: { address: ':80', transport: \(section) } }")
            return file.configuration.entryPoints[0].transport
        }
        let defaults = TransportSettings()
        #expect(defaults.headTimeout == .seconds(10) && defaults.bodyGapTimeout == .seconds(60))
        #expect(defaults.idleTimeout == .seconds(180))
        for timeout in [defaults.readTimeout, defaults.writeTimeout, defaults.keepAliveMaxTime] {
            #expect(timeout == nil)
        }
        for empty in ["", "{}", "{ respondingTimeouts: }"] { try #expect(transport(empty) == defaults) }
        let all = try transport(
            """
            { respondingTimeouts: { ReadTimeout: 60, writetimeout: 1h, idleTimeout: 90s, headTimeout: 500ms,
              bodyGapTimeout: 1m30s }, keepAliveMaxRequests: 1000, keepAliveMaxTime: 8784h }
            """)
        var expected = TransportSettings()
        (expected.readTimeout, expected.writeTimeout) = (.seconds(60), .seconds(3600))
        (expected.idleTimeout, expected.headTimeout) = (.seconds(90), .milliseconds(500))
        expected.bodyGapTimeout = .seconds(90)
        (expected.keepAliveMaxRequests, expected.keepAliveMaxTime) = (1000, .seconds(366 * 86400))
        #expect(all == expected)
        let none = try transport(
            """
            { respondingTimeouts: { readTimeout: 0, writeTimeout: 0s, idleTimeout: 0, bodyGapTimeout: 0 },
              keepAliveMaxRequests: 0, keepAliveMaxTime: 0 }
            """)
        expected = TransportSettings()
        (expected.idleTimeout, expected.bodyGapTimeout) = (nil, nil)
        #expect(none == expected)
    }

    @Test("gives each service the servers transport that it names, in files and in labels")
    func serversTransports() throws {
        let yaml = """
            http:
              serversTransports:
                slow:
                  maxIdleConnsPerHost: 7
                  forwardingTimeouts: { dialTimeout: 2s, responseHeaderTimeout: 1m, idleConnTimeout: 90s,
                    responseGapTimeout: 3s, requestTimeout: 4s, tunnelTimeout: 1h, readIdleTimeout: 5s, pingTimeout: 6 }
                none: { maxIdleConnsPerHost: 0, ForwardingTimeouts: { dialTimeout: 0, idleConnTimeout: 0,
                  readIdleTimeout: 0, pingTimeout: 0 } }
              services:
                a: { loadBalancer: { servers: [{ url: "http://a" }], serversTransport: slow } }
                b: { loadBalancer: { servers: [{ url: "http://b" }], serversTransport: none@file } }
                c: { loadBalancer: { servers: [{ url: "http://c" }] } }
            """
        let label = "traefik.http.services.d.loadbalancer.serverstransport"
        let containers = [
            ConfigurationReading.container("one", 1, [label: "slow@file"], ports: [80]),
            ConfigurationReading.container(
                "two", 2,
                [
                    "traefik.http.services.e.loadbalancer.serverstransport": "brief",
                    "limpet.http.serverstransports.brief.forwardingtimeouts.requesttimeout": "5s",
                    "limpet.http.serverstransports.brief.forwardingtimeouts.readidletimeout": "7s",
                ], ports: [80]),
        ]
        let reading = ConfigurationReading.read([("f.yml", yaml)], containers)
        #expect(reading.diagnostics.map(\.description) == [])
        let http = try #require(reading.configuration)
        let transports = Dictionary(uniqueKeysWithValues: http.services.map { ($0.name, $0.transport) })
        var slow = ServersTransportSettings()
        slow.maxIdleConnsPerHost = 7
        (slow.dialTimeout, slow.responseHeaderTimeout, slow.idleConnTimeout) = (
            .seconds(2), .seconds(60), .seconds(90)
        )
        (slow.responseGapTimeout, slow.requestTimeout, slow.tunnelTimeout) = (.seconds(3), .seconds(4), .seconds(3600))
        (slow.readIdleTimeout, slow.pingTimeout) = (.seconds(5), .seconds(6))
        var none = ServersTransportSettings()
        (none.dialTimeout, none.idleConnTimeout) = (nil, nil)
        var brief = ServersTransportSettings()
        (brief.requestTimeout, brief.readIdleTimeout, brief.pingTimeout) = (.seconds(5), .seconds(7), .seconds(15))
        #expect(
            transports == [
                "a": slow, "b": none, "c": ServersTransportSettings(), "d@docker": slow, "e@docker": brief,
            ])
    }

    @Test("has one servers transport for all services that name none, or default@internal")
    func defaultServersTransport() throws {
        let services = """
            http:
              serversTransports: { own: { forwardingTimeouts: { requestTimeout: 9s } } }
              services:
                a: { loadBalancer: { servers: [{ url: "http://a" }] } }
                b: { loadBalancer: { servers: [{ url: "http://b" }], serversTransport: default@internal } }
                c: { loadBalancer: { servers: [{ url: "http://c" }], serversTransport: own } }
            """
        func transports(_ section: String) throws -> [ServersTransportSettings] {
            try ConfigurationSample.read(section + services).configuration.http.services.map(\.transport)
        }
        var own = ServersTransportSettings()
        own.requestTimeout = .seconds(9)
        try #expect(transports("") == [ServersTransportSettings(), ServersTransportSettings(), own])
        var main = ServersTransportSettings()
        (main.maxIdleConnsPerHost, main.dialTimeout, main.requestTimeout) = (3, .seconds(2), .seconds(4))
        let section = """
            serversTransport:
              maxIdleConnsPerHost: 3
              forwardingTimeouts: { dialTimeout: 2s, requestTimeout: 4s }

            """
        // One with a name begins from Limpet's defaults, as in Traefik.
        try #expect(transports(section) == [main, main, own])
    }

    @Test("has the limits of a service's servers, where 0 is none, in files and in labels")
    func serverLimits() throws {
        func service(_ keys: String) throws -> ServiceSettings {
            try ConfigurationSample.service("{ servers: [{ url: 'http://a' }], \(keys) }")
        }
        for none in ["", "maxRequests: 0", "maxRequests: "] {
            let service = try service(none)
            #expect(service.maxRequests == nil && service.queue == QueueSettings())
        }
        var queue = QueueSettings()
        (queue.size, queue.timeout) = (0, .milliseconds(250))
        let limited = try service("maxRequests: 50, queue: { size: 0, timeout: 250ms }")
        #expect(limited.maxRequests == 50 && limited.queue == queue)
        let labels = "traefik.http.services.s.loadbalancer."
        let reading = ConfigurationReading.read(
            [], [ConfigurationReading.container("c", 1, [labels + "maxrequests": "7", labels + "queue.size": "3"])])
        #expect(reading.diagnostics.map(\.description) == [])
        let labelled = reading.configuration?.services.first
        #expect(labelled?.maxRequests == 7 && labelled?.queue.size == 3)
    }

    @Test("gives routers the indices of their entry points and services")
    func routers() throws {
        let configuration = try ConfigurationSample.read(Self.whole).configuration
        #expect(configuration.http.routers.map(\.name) == ["all", "shop"])
        #expect(configuration.http.services.map(\.name) == ["plain", "shop"])
        #expect(configuration.http.routers.map(\.service) == [0, 1])
        #expect(configuration.http.routers.map(\.router.entryPoints) == [[0, 1], [1]])
        #expect(configuration.http.routers.map(\.router.priority) == [1, nil])
    }

    @Test("gives services their session keys in the order of asking, and their backends")
    func services() throws {
        let shop = try ConfigurationSample.read(Self.whole).configuration.http.services[1]
        let cookie = CookieAttributes(
            name: "shop_sid", secure: true, httpOnly: true, sameSite: .lax, maxAge: 60, path: "/a", domain: "b.c")
        #expect(
            shop.sticky
                == StickySettings(
                    sources: [
                        .header(name: "X-Session-ID", learns: false), .query(name: "sid"),
                        .appCookie(name: "JSESSIONID", learns: false),
                        .cookie(cookie, acceptsTraefikCookie: false),
                    ], idleTimeout: .seconds(5400), absoluteTimeout: .seconds(43200), onUnavailable: .detour))
        #expect(shop.sticky?.cookie == cookie)
        #expect(
            shop.backends == [
                BackendSettings(
                    name: "web-1", url: "http://10.0.0.11:8080", host: "10.0.0.11", port: 8080, weight: 3),
                BackendSettings(
                    name: "http://[fd00::12]/", url: "http://[fd00::12]/", host: "fd00::12", port: 80, weight: 0,
                    isDraining: true),
            ])
    }

    /// The name, and whether a cookie is set, for each form in which Traefik takes `sticky.cookie`.
    static let stickyForms: [(String, String?)] = [
        ("{ sticky: { cookie: { name: my-cookie } }, servers: [{ url: \"http://a\" }] }", "my-cookie"),
        ("{ sticky: { cookie: {} }, servers: [{ url: \"http://a\" }] }", "_8705d"),
        ("{ sticky: { cookie: }, servers: [{ url: \"http://a\" }] }", "_8705d"),
        ("{ sticky: { cookie: true }, servers: [{ url: \"http://a\" }] }", "_8705d"),
        ("{ sticky: { cookie: { name: my-cookie, sameSite: \"\" } }, servers: [{ url: \"http://a\" }] }", "my-cookie"),
        ("{ sticky: { cookie: false, header: a }, servers: [{ url: \"http://a\" }] }", nil),
    ]

    @Test("takes Traefik's forms of a sticky cookie", arguments: stickyForms.map(\.0))
    func takesForm(_ balancer: String) throws {
        let expected = try #require(Self.stickyForms.first { $0.0 == balancer }).1
        let cookie = try ConfigurationSample.service(balancer).sticky?.cookie
        #expect(cookie?.name == expected)
        guard let cookie else { return }
        #expect(cookie.secure == nil && !cookie.httpOnly && cookie.sameSite == nil && cookie.domain == nil)
        #expect(cookie.maxAge == 0 && cookie.path == "/")
    }

    @Test("takes the block form in which Traefik's documentation writes it")
    func blockForm() throws {
        let yaml = """
            http:
              services:
                my-service:
                  loadBalancer:
                    sticky:
                      cookie:
                        name: my_sticky_cookie_name
                        secure: true
                        httpOnly: true
                        sameSite: none
                    servers:
                    - url: "http://127.0.0.1:8081"
            """
        let cookie = try ConfigurationSample.read(yaml).configuration.http.services[0].sticky?.cookie
        #expect(cookie?.name == "my_sticky_cookie_name")
        #expect(cookie?.secure == true && cookie?.sameSite == CookieAttributes.SameSite.none)
    }

    @Test(
        "names a cookie as Traefik names that of a service from a file",
        arguments: [("my-service", "_4fcce"), ("app", "_fb0b0")])
    func defaultCookieName(_ service: String, _ expected: String) throws {
        let yaml =
            "http: { services: { \(service): { loadBalancer: { sticky: { cookie: {} }, servers: [{url: http://a}] } } } }"
        #expect(try ConfigurationSample.read(yaml).configuration.http.services[0].sticky?.cookie?.name == expected)
    }

    @Test("calls a cookie as Traefik would where it is given what is no token")
    func sanitizedCookieName() throws {
        let names = [
            ("/my/BACKEND-v1.0~rc1", "_my_BACKEND-v1.0~rc1"),
            ("!#$%&'()*+-./:<=>?@[]^_`{|}~", "!#$%&'__*+-._________^_`_|_~"), ("é", "_"),
        ]
        for (name, expected) in names {
            let quoted = name.replacing("'", with: "''")
            let yaml = "http: {services: {a: {loadBalancer: {sticky: {cookie: {name: '\(quoted)'}}}}}}"
            let file = try ConfigurationSample.read(yaml)
            #expect(file.configuration.http.services[0].sticky?.cookie?.name == expected)
            #expect(
                file.warnings.contains { $0.message.hasPrefix("is not a token: the cookie is called \(expected)") })
        }
    }

    @Test("takes a strategy; without one that of the service's kind")
    func strategies() throws {
        for strategy in PlacementStrategy.allCases {
            #expect(try ConfigurationSample.service("{ strategy: \(strategy.rawValue) }").strategy == strategy)
        }
        #expect(try ConfigurationSample.service("{}").strategy == .wrr)
        #expect(try ConfigurationSample.service("{ sticky: { header: a } }").strategy == .hrw)
    }

    @Test("learns an application's cookie, and no header, unless it says otherwise; in all its forms")
    func learningByDefault() throws {
        for (sticky, source) in [
            ("appCookie: a", SessionKeySource.appCookie(name: "a", learns: true)),
            ("appCookie: { name: a }", .appCookie(name: "a", learns: true)),
            ("appCookie: { name: a, learn: }", .appCookie(name: "a", learns: true)),
            ("appCookie: { name: a, learn: false }", .appCookie(name: "a", learns: false)),
            ("header: a", .header(name: "a", learns: false)),
            ("header: { name: a }", .header(name: "a", learns: false)),
        ] {
            #expect(try ConfigurationSample.service("{ sticky: { \(sticky) } }").sticky?.sources == [source])
        }
    }

    @Test("says which session keys are learnt from responses, and which cookie of Traefik's is understood")
    func learning() throws {
        let sticky =
            "{ header: { name: A, learn: true }, appCookie: { name: b, learn: true }, cookie: { acceptTraefikCookie: true } }"
        let sources = try ConfigurationSample.service("{ sticky: \(sticky) }").sticky?.sources
        #expect(sources?.prefix(2) == [.header(name: "A", learns: true), .appCookie(name: "b", learns: true)])
        guard case .cookie(_, let acceptsTraefikCookie) = sources?.last else {
            Issue.record("there is no cookie")
            return
        }
        #expect(acceptsTraefikCookie)
    }

    @Test("without an idle timeout keeps sessions for a day")
    func idleTimeoutDefault() throws {
        #expect(try ConfigurationSample.service("{ sticky: { header: a } }").sticky?.idleTimeout == .seconds(86400))
    }

    @Test("bounds sessions as a whole where it says so, whatever identifies them")
    func absoluteTimeout() throws {
        #expect(try ConfigurationSample.service("{ sticky: { header: a } }").sticky?.absoluteTimeout == nil)
        for source in ["header: a", "query: a", "appCookie: a", "clientIP: {}", "cookie: {}"] {
            let sticky = "{ \(source), idleTimeout: 30m, absoluteTimeout: 30m }"
            let settings = try ConfigurationSample.service("{ sticky: \(sticky) }").sticky
            #expect(settings?.absoluteTimeout == .seconds(1800), "\(source)")
        }
    }

    @Test("says what becomes of a session whose backend is away", arguments: AffinitySettings.Unavailability.allCases)
    func onUnavailable(_ choice: AffinitySettings.Unavailability) throws {
        let service = try ConfigurationSample.service("{ sticky: { header: a, onUnavailable: \(choice.rawValue) } }")
        #expect(service.sticky?.onUnavailable == choice)
        #expect(try ConfigurationSample.service("{ sticky: { header: a } }").sticky?.onUnavailable == .move)
    }

    @Test("has connections of its own to Redis on four event loops, or on as many as it says")
    func connections() throws {
        for (text, count) in [("{}", 4), ("{ connections: 1 }", 1), ("{ connections: 64 }", 64)] {
            let yaml = "fleet: {secret: 0123456789abcdef}\nstore: { redis: \(text) }"
            #expect(try ConfigurationSample.read(yaml).configuration.store.redis?.connections == count)
        }
    }

    @Test("takes a lease from 100 ms to 10 s, above the time that a request waits for the store")
    func leases() throws {
        for (lease, timeout) in [("100ms", "99ms"), ("10s", "9s"), ("500ms", "20ms")] {
            let yaml =
                "fleet: {secret: 0123456789abcdef}\nstore: { lease: \(lease), redis: { commandTimeout: \(timeout) } }"
            let store = try ConfigurationSample.read(yaml).configuration.store
            let read = try #require(store.redis)
            #expect(store.lease == DurationText.read(lease) && read.commandTimeout == DurationText.read(timeout))
        }
    }

    @Test("cuts client addresses as it says")
    func clientIP() throws {
        let forms: [(String, SessionKeySource)] = [
            ("{}", .clientIP(ipv4Prefix: 32, ipv6Prefix: 64)), ("true", .clientIP(ipv4Prefix: 32, ipv6Prefix: 64)),
            ("{ ipv4Prefix: 24, ipv6Prefix: 56 }", .clientIP(ipv4Prefix: 24, ipv6Prefix: 56)),
        ]
        for (form, source) in forms {
            #expect(try ConfigurationSample.service("{ sticky: { clientIP: \(form) } }").sticky?.sources == [source])
        }
    }

    @Test("takes the fleet secret from the environment")
    func secretFromEnvironment() throws {
        let yaml = "store: { redis: {} }"
        let secret = "0123456789abcdef0"
        let configuration = try ConfigurationSample.read(yaml, environment: ["LIMPET_FLEET_SECRET": secret])
            .configuration
        #expect(configuration.fleet.secret == Secret(Array(secret.utf8)))
        #expect(configuration.store.redis?.endpoint.address == .host("127.0.0.1", port: 6379))
    }

    @Test("takes secrets from files, without the line end")
    func secretsFromFiles() throws {
        try TemporaryFile.with("0123456789abcdef\r\n") { path in
            let yaml =
                "fleet: { secretFile: \(path), cookieKeyFiles: [\(path)] }\nstore: { redis: { passwordFile: \(path) } }"
            let configuration = try ConfigurationSample.read(yaml).configuration
            let secret = Secret(Array("0123456789abcdef".utf8))
            #expect(configuration.fleet.secret == secret)
            #expect(configuration.fleet.cookieKeys == [secret])
            #expect(configuration.store.redis?.endpoint.credentials?.password == "0123456789abcdef")
        }
    }

    @Test("takes a Redis by Unix socket")
    func unixSocket() throws {
        let yaml =
            "fleet: {secret: 0123456789abcdef}\nstore: { redis: { endpoints: [\"unix:///run/redis.sock?db=3\"] } }"
        let redis = try ConfigurationSample.read(yaml).configuration.store.redis
        #expect(redis?.endpoint.address == .unixSocket(path: "/run/redis.sock"))
        #expect(redis?.endpoint.database == 3)
    }

    @Test("shows no secret in a description or a dump")
    func secretsStayHidden() throws {
        let configuration = try ConfigurationSample.read(Self.whole).configuration
        var dumped = "\(configuration)" + String(reflecting: configuration)
        dump(configuration, to: &dumped)
        #expect(!dumped.contains("hunter2") && !dumped.contains("0123456789abcdef"))
        #expect(!dumped.contains("104, 117, 110"))
    }
}
