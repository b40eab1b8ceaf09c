package import Affinity
package import Proxy

/// What identifies a session, and how long it lasts: `sticky`.
package struct StickySettings: Equatable, Sendable {
    /// Where a session key is looked for, in the order of asking: the first that a request carries counts. At least
    /// one; the cookie, if any, last.
    package var sources: [SessionKeySource]
    /// How long a binding outlives the session's last request; at least four leases.
    package var idleTimeout: Duration
    /// How long a session may last however busy it is, from its first request; at least `idleTimeout`. Nil: for ever.
    package var absoluteTimeout: Duration?
    /// What happens to a session whose backend is not usable.
    package var onUnavailable: AffinitySettings.Unavailability

    /// Our own cookie, which a request without any session key is given; nil: such a request has no session.
    package var cookie: CookieAttributes? {
        for case .cookie(let cookie, _) in sources { return cookie }
        return nil
    }

    /// Whether Traefik's cookies of our cookie's name have an effect.
    package var acceptsTraefikCookie: Bool {
        for case .cookie(_, let acceptsTraefikCookie) in sources { return acceptsTraefikCookie }
        return false
    }
}

/// Where a request carries its session key.
package enum SessionKeySource: Equatable, Sendable {
    /// A field; its name as configured, compared without regard to case.
    ///
    /// `learns`: a response that carries it binds the value to the backend that sent it.
    case header(name: String, learns: Bool)
    /// A parameter of the query.
    case query(name: String)
    /// A cookie that the application sets.
    ///
    /// `learns`: a response that sets it binds the value to the backend that sent it.
    case appCookie(name: String, learns: Bool)
    /// The client's address, cut to so many bits. Never beside another source that comes after it.
    case clientIP(ipv4Prefix: Int, ipv6Prefix: Int)
    /// The cookie that Limpet sets.
    ///
    /// `acceptsTraefikCookie`: a cookie that Traefik set, which names a server by a hash of its URL, says where a
    /// session that nobody knows begins.
    case cookie(CookieAttributes, acceptsTraefikCookie: Bool)

    var isClientIP: Bool {
        if case .clientIP = self { true } else { false }
    }
}
