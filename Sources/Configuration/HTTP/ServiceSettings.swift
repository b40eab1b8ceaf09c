package import Affinity
package import Proxy

/// A named group of servers, or of other services: `http.services.<name>`.
package struct ServiceSettings: Equatable, Sendable {
    /// The qualified name: `shop` from files, `shop@docker` from containers. It is the service's identity in
    /// fingerprints and in the fleet.
    package var name: String
    package var targets: Targets
    /// Nil: requests are balanced without affinity.
    package var sticky: StickySettings?
    /// Whether a backend receives the client's Host header; otherwise it receives the host of its own URL. Applies to
    /// `.servers` only.
    package var passHostHeader: Bool
    /// How an unknown session, or a request without a session, is given its target.
    package var strategy: PlacementStrategy
    /// How each server is checked; nil: not at all. Applies to `.servers` only.
    package var healthCheck: HealthCheck?
    /// Which failures of requests count against a server; nil: none. Applies to `.servers` only.
    package var passiveHealthCheck: PassiveHealthCheck?
    /// How long a server that was added or came back is given less than its share of new sessions; zero: not at all.
    package var slowStart: Duration
    /// What `serversTransport` names. Applies to `.servers` only.
    package var transport = ServersTransportSettings()
    /// Requests that a replica has under way at one server. Nil means unlimited. Applies to `.servers` only.
    package var maxRequests: Int?
    package var queue = QueueSettings()

    package enum Targets: Equatable, Sendable {
        /// `loadBalancer.servers`. If empty, the service answers 503.
        case servers([BackendSettings])
        /// `weighted.services`, at least one. Nesting never leads back to the same service.
        case services([WeightedService])
        /// `failover`. Nesting never leads back to the same service.
        case failover(FailoverSettings)
    }

    package init(
        name: String, targets: Targets, sticky: StickySettings? = nil, passHostHeader: Bool = true,
        strategy: PlacementStrategy? = nil, healthCheck: HealthCheck? = nil,
        passiveHealthCheck: PassiveHealthCheck? = nil, slowStart: Duration = .zero
    ) {
        self.name = name
        self.targets = targets
        self.sticky = sticky
        self.passHostHeader = passHostHeader
        self.strategy = strategy ?? Self.defaultStrategy(isSticky: sticky != nil)
        self.healthCheck = healthCheck
        self.passiveHealthCheck = passiveHealthCheck
        self.slowStart = slowStart
    }

    /// The strategy of a service that names none.
    package static func defaultStrategy(isSticky: Bool) -> PlacementStrategy { isSticky ? .hrw : .wrr }

    /// The servers; empty for a service of services.
    package var backends: [BackendSettings] {
        if case .servers(let backends) = targets { backends } else { [] }
    }

    package var isFailover: Bool {
        if case .failover = targets { true } else { false }
    }

    /// The services directly below this one, in order; empty for a service with servers.
    package var children: [ServiceReference] {
        switch targets {
        case .servers: []
        case .services(let children): children.map(\.reference)
        case .failover(let failover): [failover.main, failover.fallback]
        }
    }
}

/// Requests that wait for a server at its limit: `loadBalancer.queue`.
package struct QueueSettings: Equatable, Sendable {
    /// How many wait, for each server and replica.
    package var size = 1000
    /// How long one waits.
    package var timeout = Duration.seconds(5)

    package init() {}
}

/// A service that another one names.
package struct ServiceReference: Equatable, Sendable {
    /// An index into `HTTPConfiguration.services`.
    package var service: Int
    /// The name as written; unique within the naming service.
    package var name: String
}

/// One service of a weighted service: `weighted.services[]`.
package struct WeightedService: Equatable, Sendable {
    package var reference: ServiceReference
    /// 0...65535; with 0, it takes no new sessions.
    package var weight: Int
}

/// A service that takes the requests which another one cannot take: `failover`.
package struct FailoverSettings: Equatable, Sendable {
    package var main: ServiceReference
    package var fallback: ServiceReference
    /// `errors.status`: a response of the main service with one of these is discarded, and the fallback gets the
    /// request, if it may be sent again.
    package var statuses: [ClosedRange<Int>]
}

/// One server of a service: `servers[]`. Names and addresses are unique within the service.
package struct BackendSettings: Equatable, Sendable {
    /// Its name in the store: `name`, else its URL as written; for a container, its id.
    package var name: String
    /// As written; for a container, built from its address and port.
    package var url: String
    /// A name or an address; IPv6 without brackets.
    package var host: String
    package var port: Int
    /// 0...65535; with 0, it takes no new sessions.
    package var weight: Int
    /// The server keeps its sessions, and gets new ones only while no other server is usable.
    package var isDraining: Bool
    /// The server is a container whose own health check fails.
    package var isUnhealthy: Bool
    /// Whether it is reached over TLS, as its transport says.
    package var isSecure: Bool
    /// Whether it is spoken to by HTTP/2 from the first byte on, without TLS.
    package var isHTTP2: Bool

    package init(
        name: String, url: String, host: String, port: Int, weight: Int = 1, isDraining: Bool = false,
        isUnhealthy: Bool = false, isSecure: Bool = false, isHTTP2: Bool = false
    ) {
        self.name = name
        self.url = url
        self.host = host
        self.port = port
        self.weight = weight
        self.isDraining = isDraining
        self.isUnhealthy = isUnhealthy
        self.isSecure = isSecure
        self.isHTTP2 = isHTTP2
    }
}
