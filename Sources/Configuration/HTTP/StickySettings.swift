package import Affinity
package import Proxy

/// What identifies a session, and how long it lasts: `sticky`.
package struct StickySettings: Equatable, Sendable {
    /// Where a session key is looked for, in this order: the first that a request carries counts. At least one; the
    /// affinity cookie, if any, comes last.
    package var sources: [SessionKeySource]
    /// How long a binding outlives the session's last request; at least four leases.
    package var idleTimeout: Duration
    /// The longest life of a session from its first request, however busy it is; at least `idleTimeout`. Nil: no limit.
    package var absoluteTimeout: Duration?
    /// What happens to a session whose backend is not usable.
    package var onUnavailable: AffinitySettings.Unavailability

    /// The affinity cookie, which is set for a request without any session key. Nil: such a request has no session.
    package var cookie: CookieAttributes? {
        for case .cookie(let cookie, _) in sources { return cookie }
        return nil
    }

    /// Whether Traefik's cookies with the affinity cookie's name have an effect.
    package var acceptsTraefikCookie: Bool {
        for case .cookie(_, let acceptsTraefikCookie) in sources { return acceptsTraefikCookie }
        return false
    }
}

/// Where a request carries its session key.
package enum SessionKeySource: Equatable, Sendable {
    /// A header; its name as configured, compared case-insensitively.
    ///
    /// `learns`: a response that carries it binds the value to the backend that sent it.
    case header(name: String, learns: Bool)
    /// A query parameter.
    case query(name: String)
    /// A cookie that the application sets.
    ///
    /// `learns`: a response that sets it binds the value to the backend that sent it.
    case appCookie(name: String, learns: Bool)
    /// The client's address, truncated to these prefix lengths. Never followed by another source.
    case clientIP(ipv4Prefix: Int, ipv6Prefix: Int)
    /// The affinity cookie.
    ///
    /// `acceptsTraefikCookie`: a cookie that Traefik set, which names a server by a hash of its URL, decides where an
    /// unknown session begins.
    case cookie(CookieAttributes, acceptsTraefikCookie: Bool)

    var isClientIP: Bool {
        if case .clientIP = self { true } else { false }
    }
}
