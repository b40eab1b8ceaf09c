package import Affinity

/// One service of a snapshot: its backends and how its sessions are identified. Immutable.
package struct Service: Sendable {
    package var name: String
    /// In the order of the membership. Empty if the service has children.
    package var backends: [Backend]
    /// For a service of services: the indices of its children among the snapshot's services, in the order of the
    /// membership, which holds their names and weights. The service's health combines the children's tables, see
    /// ``HealthTable/init(of:)``. A service is never its own descendant.
    package var children: [Int]
    package var membership: Membership
    /// Shared by every event loop of the replica, and carried over from snapshot to snapshot.
    package var health: HealthTable
    package var sticky: Sticky?
    /// How sessions are placed, and requests without a session.
    package var strategy: PlacementStrategy
    /// The scope for the fingerprint of the client address when ``PlacementStrategy/hrw`` distributes requests without
    /// a session; if nil, these requests are distributed in turn.
    package var clientScope: FingerprintScope?
    /// Whether the backend receives the client's Host; otherwise it receives the authority of its own URL.
    package var passHostHeader: Bool
    /// How each backend is checked; nil: not at all.
    package var healthCheck: HealthCheck?
    /// Which failures of requests count against a backend; nil: none.
    package var passiveHealthCheck: PassiveHealthCheck?
    /// The names of backends that are known to be unhealthy: containers whose own health check fails.
    package var unhealthyBackends: Set<String>
    /// How long a backend that was added or came back gets less than its share of new sessions; 0: not at all.
    package var slowStartMilliseconds: Int64
    package var limits: ServiceLimits
    /// For a failover, whose children are the main service and its fallback: the statuses of the main service's
    /// responses for which a request is sent to the fallback. Nil for any other service.
    package var failoverStatuses: [ClosedRange<Int>]?

    /// - Parameter strategy: nil for the default: ``PlacementStrategy/hrw`` with sticky sessions, otherwise
    ///   ``PlacementStrategy/wrr``.
    package init(
        name: String, backends: [Backend], children: [Int] = [], membership: Membership, health: HealthTable,
        sticky: Sticky?, strategy: PlacementStrategy? = nil, clientScope: FingerprintScope? = nil,
        passHostHeader: Bool = true, healthCheck: HealthCheck? = nil,
        passiveHealthCheck: PassiveHealthCheck? = nil, unhealthyBackends: Set<String> = [],
        slowStartMilliseconds: Int64 = 0,
        limits: ServiceLimits = ServiceLimits(), failoverStatuses: [ClosedRange<Int>]? = nil
    ) {
        self.name = name
        self.backends = backends
        self.children = children
        self.membership = membership
        self.health = health
        self.sticky = sticky
        self.strategy = strategy ?? (sticky == nil ? .wrr : .hrw)
        self.clientScope = clientScope
        self.passHostHeader = passHostHeader
        self.healthCheck = healthCheck
        self.passiveHealthCheck = passiveHealthCheck
        self.unhealthyBackends = unhealthyBackends
        self.slowStartMilliseconds = slowStartMilliseconds
        self.limits = limits
        self.failoverStatuses = failoverStatuses
    }
}

extension Service {
    /// Whether the service has children instead of backends.
    var hasChildren: Bool { !children.isEmpty }

    /// For each backend or child, whether it may be given what is new. A fallback may: a failover serves as well by it.
    package var takesNewRequests: [Bool] {
        failoverStatuses == nil ? membership.takersOfNewSessions : membership.backends.map { _ in true }
    }

    /// The service's backends, in the order of the membership.
    var runningBackends: [(backend: Backend, hash: BackendHash, state: BackendState)] {
        zip(zip(backends, membership.backends), health.backends).map { ($0.0, $0.1.hash, $1) }
    }

    /// All current reasons not to use a backend, for reports.
    package func causes(against backend: BackendHash) -> HealthCauses { membership.causes(against: backend, health) }

    /// What makes the backend fail, for people; empty if it does not.
    package func failures(of backend: BackendHash) -> [String] {
        state(of: backend)?.failures ?? []
    }

    /// What the replica has found out about a backend; nil if the service has none of that name.
    package func state(of backend: BackendHash) -> BackendState? {
        guard let index = membership.index(of: backend), health.backends.indices.contains(index) else { return nil }
        return health.backends[index]
    }

    /// What the checks of the backend came to; nil if it has none.
    package func checkCounts(of backend: BackendHash) -> CheckCounts? {
        healthCheck == nil ? nil : state(of: backend)?.checkCounts
    }

    /// The settings for the service's decisions.
    package var settings: AffinitySettings {
        var settings = sticky?.settings ?? AffinitySettings()
        settings.placement = strategy
        settings.slowStartMilliseconds = slowStartMilliseconds
        return settings
    }
}

/// One server of a service.
package struct Backend: Hashable, Sendable {
    package var name: String
    /// A host name or an IP address, without brackets.
    package let host: String
    package let port: Int
    /// The value of a Host field for this backend (RFC 9110, section 7.2).
    let authority: String
    /// Nil: without TLS.
    package let tls: BackendTLS?
    /// It is spoken to by HTTP/2 from the first byte on. Otherwise TLS may find that both sides speak it.
    package let isHTTP2: Bool

    package init(name: String, host: String, port: Int, tls: BackendTLS? = nil, isHTTP2: Bool = false) {
        self.name = name
        self.host = host
        self.port = port
        let bracketed = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        self.tls = tls
        self.isHTTP2 = isHTTP2
        authority = port == (tls == nil ? 80 : 443) ? bracketed : "\(bracketed):\(port)"
    }
}

/// Where to look for the session key of a request, and how long a session lives.
package struct Sticky: Sendable {
    /// In order of precedence; the first one present in the request is the key.
    package var sources: [Source]
    /// The affinity cookie, set for a request that presents none of the sources.
    package var cookie: CookieAttributes?
    package var settings: AffinitySettings
    /// How long a hint in the affinity cookie is trusted, and when the cookie is sealed anew.
    package var renewal: CookieRenewal
    /// The backends that Traefik's cookies of the same name refer to; nil: such cookies have no effect.
    package var traefikCookies: TraefikCookies?

    package enum Source: Sendable {
        /// Name in lower case. If it learns, responses are searched too: a key that a backend issues is bound to it.
        case header(String, FingerprintScope, learns: Bool = false)
        case query(String, FingerprintScope)
        /// A cookie of the application.
        case appCookie(String, FingerprintScope, learns: Bool = false)
        case clientAddress(ipv4Prefix: Int, ipv6Prefix: Int, FingerprintScope)
        /// The affinity cookie, by the name in its attributes.
        case cookie(FingerprintScope)
    }

    package init(
        sources: [Source], cookie: CookieAttributes?, settings: AffinitySettings, renewal: CookieRenewal,
        traefikCookies: TraefikCookies? = nil
    ) {
        self.sources = sources
        self.cookie = cookie
        self.settings = settings
        self.renewal = renewal
        self.traefikCookies = traefikCookies
    }

    /// Whether responses are searched for session keys.
    var learns: Bool {
        sources.contains { source in
            switch source {
            case .header(_, _, let learns), .appCookie(_, _, let learns): learns
            case .query, .clientAddress, .cookie: false
            }
        }
    }
}

/// The attributes of the affinity cookie (RFC 6265, section 4.1.2), as configured.
package struct CookieAttributes: Equatable, Sendable {
    package enum SameSite: String, CaseIterable, Sendable {
        case none = "None"
        case lax = "Lax"
        case strict = "Strict"
    }

    package var name: String
    /// Nil: for requests that came over TLS.
    package var secure: Bool?
    package var httpOnly: Bool
    /// Nil: no such attribute.
    package var sameSite: SameSite?
    /// Seconds; 0 makes it a session cookie, a negative number expires it at once.
    package var maxAge: Int
    package var path: String
    /// Nil: no such attribute.
    package var domain: String?

    package init(
        name: String, secure: Bool? = nil, httpOnly: Bool = false, sameSite: SameSite? = nil, maxAge: Int = 0,
        path: String = "/", domain: String? = nil
    ) {
        self.name = name
        self.secure = secure
        self.httpOnly = httpOnly
        self.sameSite = sameSite
        self.maxAge = maxAge
        self.path = path
        self.domain = domain
    }

    /// Everything that follows the cookie's value in a Set-Cookie field.
    ///
    /// - Parameter isSecure: whether the request came over TLS.
    func suffix(isSecure: Bool) -> String {
        var text = path.isEmpty ? "" : "; Path=\(path)"
        if let domain { text += "; Domain=\(domain)" }
        if maxAge != 0 { text += "; Max-Age=\(max(maxAge, 0))" }
        if httpOnly { text += "; HttpOnly" }
        if secure ?? isSecure { text += "; Secure" }
        if let sameSite { text += "; SameSite=\(sameSite.rawValue)" }
        return text
    }
}
