package import Affinity

/// One service of a snapshot: its backends and how its sessions are recognised. Immutable.
package struct Service: Sendable {
    package var name: String
    /// In the order of the membership. None where there are children.
    package var backends: [Backend]
    /// Of a weighted service: the places of its children among the snapshot's services, in the order of the membership,
    /// which holds their names and weights. Its health is that of the children's tables together, see
    /// ``HealthTable/init(of:)``. No service is below itself.
    package var children: [Int]
    package var membership: Membership
    /// Shared by every event loop of the replica, and carried from snapshot to snapshot.
    package var health: HealthTable
    package var sticky: Sticky?
    /// How sessions are placed, and requests without a session.
    package var strategy: PlacementStrategy
    /// What stands for the client where requests without a session are spread by ``PlacementStrategy/hrw``; without it
    /// they take turns.
    package var clientScope: FingerprintScope?
    /// Whether the backend sees the client's Host; otherwise it sees that of its own URL.
    package var passHostHeader: Bool

    /// - Parameter strategy: nil for the default: ``PlacementStrategy/hrw`` where sessions are kept, else
    ///   ``PlacementStrategy/wrr``.
    package init(
        name: String, backends: [Backend], children: [Int] = [], membership: Membership, health: HealthTable,
        sticky: Sticky?, strategy: PlacementStrategy? = nil, clientScope: FingerprintScope? = nil,
        passHostHeader: Bool = true
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
    }
}

extension Service {
    /// Whether it has children, and no backends.
    var isWeighted: Bool { !children.isEmpty }

    /// Its backends, in the order of the membership.
    var runningBackends: [(backend: Backend, hash: BackendHash, state: BackendState)] {
        zip(zip(backends, membership.backends), health.backends).map { ($0.0, $0.1.hash, $1) }
    }

    /// Everything that stands against one of its backends, for whoever is to be told.
    package func causes(against backend: BackendHash) -> HealthCauses { membership.causes(against: backend, health) }

    /// What its decisions depend on.
    var settings: AffinitySettings {
        var settings = sticky?.settings ?? AffinitySettings()
        settings.placement = strategy
        return settings
    }
}

/// One server of a service.
package struct Backend: Hashable, Sendable {
    package var name: String
    /// A host name or an IP address, without brackets.
    package let host: String
    package let port: Int
    /// What stands in a Host field (RFC 9110, section 7.2).
    let authority: String

    package init(name: String, host: String, port: Int) {
        self.name = name
        self.host = host
        self.port = port
        let bracketed = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        authority = port == 80 ? bracketed : "\(bracketed):\(port)"
    }
}

/// Where the session key of a request is looked for, and how long a session lives.
package struct Sticky: Sendable {
    /// In the order in which they count; the first one present in the request is the key.
    package var sources: [Source]
    /// Our own cookie, given to a request that presents none of the sources.
    package var cookie: CookieAttributes?
    package var settings: AffinitySettings
    /// How long a hint in our cookie is believed, and when the cookie is sealed anew.
    package var renewal: CookieRenewal
    /// What Traefik's cookies of our cookie's name stand for; nil: they have no effect.
    package var traefikCookies: TraefikCookies?

    package enum Source: Sendable {
        /// Name in lower case. What learns is looked for in responses, too: a key that a backend issues is bound to it.
        case header(String, FingerprintScope, learns: Bool = false)
        case query(String, FingerprintScope)
        /// A cookie of the application.
        case appCookie(String, FingerprintScope, learns: Bool = false)
        case clientAddress(ipv4Prefix: Int, ipv6Prefix: Int, FingerprintScope)
        /// Our own cookie, by the name that its attributes say.
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

    /// Whether responses are looked at for session keys.
    var learns: Bool {
        sources.contains { source in
            switch source {
            case .header(_, _, let learns), .appCookie(_, _, let learns): learns
            case .query, .clientAddress, .cookie: false
            }
        }
    }
}

/// The attributes of our own cookie (RFC 6265, section 4.1.2), as configured.
package struct CookieAttributes: Equatable, Sendable {
    package enum SameSite: String, CaseIterable, Sendable {
        case none = "None"
        case lax = "Lax"
        case strict = "Strict"
    }

    package var name: String
    package var secure: Bool
    package var httpOnly: Bool
    /// Nil: no such attribute.
    package var sameSite: SameSite?
    /// Seconds; 0 makes it a session cookie, a negative number expires it at once.
    package var maxAge: Int
    package var path: String
    /// Nil: no such attribute.
    package var domain: String?

    package init(
        name: String, secure: Bool = false, httpOnly: Bool = false, sameSite: SameSite? = nil, maxAge: Int = 0,
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

    /// All that follows the cookie's value in a Set-Cookie field.
    var suffix: String {
        var text = path.isEmpty ? "" : "; Path=\(path)"
        if let domain { text += "; Domain=\(domain)" }
        if maxAge != 0 { text += "; Max-Age=\(max(maxAge, 0))" }
        if httpOnly { text += "; HttpOnly" }
        if secure { text += "; Secure" }
        if let sameSite { text += "; SameSite=\(sameSite.rawValue)" }
        return text
    }
}
