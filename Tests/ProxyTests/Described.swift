import Affinity
import Routing

@testable import Proxy

/// A service as a test describes it.
struct Described: Sendable {
    struct Backend: Sendable {
        var name: String
        var port: Int
        var weight: UInt16
        var isDraining: Bool

        init(_ name: String, _ port: Int, weight: UInt16 = 1, isDraining: Bool = false) {
            self.name = name
            self.port = port
            self.weight = weight
            self.isDraining = isDraining
        }
    }

    var name = "app"
    var backends: [Backend]
    /// Of a weighted service: names of others, and their weights.
    var children: [(name: String, weight: UInt16)] = []
    /// Of a failover: the statuses that make a request fail over from the first child to the second.
    var failoverStatuses: [ClosedRange<Int>]?
    var isSticky = true
    var strategy: PlacementStrategy?
    /// The name of our cookie, where it is another than that of the options.
    var cookie: String?
    var healthCheck: HealthCheck?

    /// Other limits than those of the options.
    var limits: ServiceLimits?

    /// A weighted service.
    init(name: String, children: [(name: String, weight: UInt16)], isSticky: Bool = true, cookie: String? = nil) {
        self.name = name
        self.children = children
        self.isSticky = isSticky
        self.cookie = cookie
        backends = []
    }

    /// A failover.
    init(name: String, main: String, fallback: String, statuses: [ClosedRange<Int>] = []) {
        self.init(name: name, children: [(main, 1), (fallback, 1)], isSticky: false)
        failoverStatuses = statuses
    }

    init(name: String = "app", backends: [Backend], isSticky: Bool = true, healthCheck: HealthCheck? = nil) {
        self.name = name
        self.backends = backends
        self.isSticky = isSticky
        self.healthCheck = healthCheck
    }

    func snapshot(_ options: ProxyHarness.Options, succeeding old: [Service]) throws -> Snapshot {
        try Self.snapshot([self], options, succeeding: old)
    }

    /// The services by their order: the first takes every path, each other one that of its name.
    static func snapshot(
        _ described: [Described], _ options: ProxyHarness.Options, succeeding old: [Service]
    ) throws -> Snapshot {
        var services = try described.map { try $0.service(options, succeeding: old) }
        // Children stand behind their parents here.
        for (index, one) in described.enumerated().reversed() where !one.children.isEmpty {
            services[index].children = one.children.compactMap { child in
                described.firstIndex { $0.name == child.name }
            }
            services[index].health = HealthTable(
                of: services[index].children.map { (services[$0].health, services[$0].takesNewRequests) })
        }
        let routers = try services.enumerated().map { index, service in
            let rule = index == 0 ? options.rule : "PathPrefix(`/\(service.name)`)"
            return Router(name: service.name, rule: try Rule(rule), entryPoints: [0])
        }
        return Snapshot(
            routes: RouteTable(routers),
            routers: services.enumerated().map { index, service in
                RouterPlan(
                    name: service.name, service: options.hasService ? index : nil, middlewares: options.middlewares)
            },
            services: services, cookieKeys: options.cookieKeys, tls: options.tls)
    }

    private func service(_ options: ProxyHarness.Options, succeeding old: [Service]) throws -> Service {
        let old = old.first { $0.name == name }
        let membership = try Membership(
            backends.map { ($0.name, $0.weight, $0.isDraining) }
                + children.enumerated().map { ($1.name, $1.weight, failoverStatuses != nil && $0 > 0) },
            key: ProxyHarness.key)
        let backends = backends.map {
            Proxy.Backend(
                name: $0.name, host: "127.0.0.1", port: $0.port, tls: options.backendTLS,
                isHTTP2: options.backendsAreHTTP2)
        }
        let kept = backends.map { backend in old?.backends.firstIndex(of: backend) }
        let health = old.map { HealthTable(succeeding: $0.health, kept: kept) }
        return Service(
            name: name, backends: backends, membership: membership,
            health: health ?? HealthTable(count: backends.count),
            sticky: options.isSticky && isSticky ? sticky(options, membership) : nil, strategy: strategy,
            clientScope: FingerprintScope(key: ProxyHarness.key, service: name, source: .clientAddress),
            passHostHeader: options.passHost, healthCheck: healthCheck ?? options.healthCheck,
            passiveHealthCheck: options.passiveHealthCheck,
            limits: limits ?? options.serviceLimits, failoverStatuses: failoverStatuses)
    }

    private func sticky(_ options: ProxyHarness.Options, _ membership: Membership) -> Sticky {
        func scope(_ source: SessionSource) -> FingerprintScope {
            FingerprintScope(key: ProxyHarness.key, service: name, source: source)
        }
        let sources = options.sources.map { source -> Sticky.Source in
            switch source {
            case .header(let name): .header(name.lowercased(), scope(source), learns: options.learns)
            case .query(let name): .query(name, scope(source))
            case .appCookie(let name): .appCookie(name, scope(source), learns: options.learns)
            case .clientAddress: .clientAddress(ipv4Prefix: options.ipv4Prefix, ipv6Prefix: 64, scope(source))
            case .cookie: .cookie(scope(source))
            }
        }
        var attributes = options.cookie
        if let cookie { attributes.name = cookie }
        return Sticky(
            sources: sources, cookie: options.sources.contains(.cookie) ? attributes : nil,
            settings: AffinitySettings(idleTimeoutMilliseconds: options.idleTimeoutMilliseconds),
            renewal: CookieRenewal(idleTimeoutMilliseconds: options.idleTimeoutMilliseconds),
            traefikCookies: options.acceptsTraefikCookies
                ? TraefikCookies(names: membership.backends.map(\.name), membership: membership) : nil)
    }
}
