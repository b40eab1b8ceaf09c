import Affinity
import Configuration
import Proxy
import Store

/// One service as `/api/http/services` shows it: its configuration, and the state of its servers.
package struct ServiceView: Encodable, Equatable, Sendable {
    enum Kind: String, Encodable, Sendable {
        case loadBalancer = "loadbalancer"
        case weighted
        case failover
    }

    enum ServerStatus: String, Encodable, Sendable {
        case isUp = "UP"
        case isDown = "DOWN"
    }

    struct Child: Encodable, Equatable, Sendable {
        var name: String
        var weight: Int
    }

    struct Weighted: Encodable, Equatable, Sendable {
        var services: [Child]
    }

    struct Failover: Encodable, Equatable, Sendable {
        var service: String
        var fallback: String
        /// Each as `503` or `500-504`.
        var statuses: [String]
    }

    struct Sticky: Encodable, Equatable, Sendable {
        /// In order of precedence; each as `header X-Session-ID`.
        var sources: [String]
        var onUnavailable: String
        var idleTimeoutSeconds: Int64
        @ExplicitNull var absoluteTimeoutSeconds: Int64?
    }

    var name: String
    var provider: String
    var type: Kind
    var strategy: String
    /// Null: requests are balanced without affinity.
    @ExplicitNull var sticky: Sticky?
    /// The names of the routers and services that use it.
    var usedBy: [String]
    var loadBalancer: LoadBalancer?
    var weighted: Weighted?
    var failover: Failover?
    /// Keyed by URL; the state as this replica sees it.
    var serverStatus: [String: ServerStatus]
    /// The causes against each server that has any, keyed by URL, as in ``HealthCauses/names``.
    var serverCauses: [String: [String]]
    /// For each server that is failing, keyed by URL, what fails and how.
    var serverFailures: [String: [String]]
    /// The load of each server, and what its checks say, keyed by URL. Empty for a weighted service.
    var serverStates: [String: ServerStateView]

    /// All services of a configuration, in its order.
    ///
    /// - Parameter running: the services of the data plane, with their health.
    static func all(
        of configuration: HTTPConfiguration, running: [Proxy.Service], now: Instant = .now
    ) -> [ServiceView] {
        let running = Dictionary(running.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var users: [[String]] = Array(repeating: [], count: configuration.services.count)
        for router in configuration.routers {
            if let service = router.service { users[service].append(router.name) }
        }
        for service in configuration.services {
            for child in service.children { users[child.service].append(service.name) }
        }
        return zip(configuration.services, users).map { settings, users in
            ServiceView(settings, usedBy: users, running: running[settings.name], now: now)
        }
    }

    private init(_ settings: ServiceSettings, usedBy: [String], running: Proxy.Service?, now: Instant) {
        name = settings.name
        provider = RouterView.providerName(settings.name)
        strategy = settings.isFailover ? Kind.failover.rawValue : settings.strategy.rawValue
        sticky = settings.sticky.map(Sticky.init)
        self.usedBy = usedBy
        serverStatus = [:]
        serverCauses = [:]
        serverFailures = [:]
        serverStates = [:]
        switch settings.targets {
        case .servers(let backends):
            type = .loadBalancer
            loadBalancer = LoadBalancer(settings)
            for backend in backends {
                guard let causes = running?.causes(againstBackend: backend.name) else { continue }
                serverStatus[backend.url] = causes.isUp ? .isUp : .isDown
                if !causes.isEmpty { serverCauses[backend.url] = causes.names }
                let failures = running?.failures(ofBackend: backend.name) ?? []
                if !failures.isEmpty { serverFailures[backend.url] = failures }
                serverStates[backend.url] = running?.view(ofBackend: backend.name, now: now)
            }
        case .services(let children):
            type = .weighted
            weighted = Weighted(services: children.map { Child(name: $0.reference.name, weight: $0.weight) })
        case .failover(let settings):
            type = .failover
            failover = Failover(
                service: settings.main.name, fallback: settings.fallback.name,
                statuses: settings.statuses.map(\.statusText))
        }
    }
}

extension Proxy.Service {
    /// Nil if the data plane does not use the backend yet, or no longer uses it.
    fileprivate func causes(againstBackend name: String) -> HealthCauses? {
        membership.backends.first { $0.name == name }.map { causes(against: $0.hash) }
    }

    fileprivate func failures(ofBackend name: String) -> [String] {
        membership.backends.first { $0.name == name }.map { failures(of: $0.hash) } ?? []
    }

    fileprivate func view(ofBackend name: String, now: Instant) -> ServerStateView? {
        membership.backends.first { $0.name == name }.flatMap { state(of: $0.hash) }.map {
            ServerStateView($0, of: self, now: now)
        }
    }
}

extension ClosedRange<Int> {
    /// Statuses as in the configuration, such as `500` or `502-504`.
    var statusText: String { lowerBound == upperBound ? "\(lowerBound)" : "\(lowerBound)-\(upperBound)" }
}

extension ServiceView.Sticky {
    fileprivate init(_ settings: StickySettings) {
        self.init(
            sources: settings.sources.map(\.text), onUnavailable: settings.onUnavailable.rawValue,
            idleTimeoutSeconds: settings.idleTimeout.components.seconds,
            absoluteTimeoutSeconds: settings.absoluteTimeout?.components.seconds)
    }
}

extension SessionKeySource {
    fileprivate var text: String {
        switch self {
        case .header(let name, let learns): "header \(name)\(learns ? ", learnt" : "")"
        case .query(let name): "query \(name)"
        case .appCookie(let name, let learns): "appCookie \(name)\(learns ? ", learnt" : "")"
        case .clientIP(let ipv4Prefix, let ipv6Prefix): "clientIP /\(ipv4Prefix) /\(ipv6Prefix)"
        case .cookie(let cookie, _): "cookie \(cookie.name)"
        }
    }
}
