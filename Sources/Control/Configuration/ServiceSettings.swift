package import Routing

/// Which requests go to which service: `http.routers.<name>`.
package struct RouterSettings: Equatable, Sendable {
    /// Its entry points are indices into `Configuration.entryPoints`.
    package var router: Router
    /// An index into `Configuration.services`.
    package var service: Int

    package var name: String { router.name }
}

/// A named group of servers: `http.services.<name>.loadBalancer`.
package struct ServiceSettings: Equatable, Sendable {
    package var name: String
    /// May be empty: the service then answers 503.
    package var backends: [BackendSettings]
    /// Nil: requests are balanced without affinity.
    package var sticky: StickySettings?
    /// Whether a backend sees the client's Host; otherwise that of its own URL.
    package var passHostHeader: Bool
}

/// One server of a service: `servers[]`. Names and addresses are unique within the service.
package struct BackendSettings: Equatable, Sendable {
    /// What the store knows it by: `name`, else its URL as written.
    package var name: String
    /// A name or an address; IPv6 without brackets.
    package var host: String
    package var port: Int
    /// 0...65535; 0 takes no new session.
    package var weight: Int
    /// Keeps its sessions, takes no new one.
    package var isDraining: Bool
}

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
    package var onUnavailable: Unavailability

    package enum Unavailability: String, CaseIterable, Sendable {
        /// Moved to the next backend in order, for good.
        case move
        /// Served by the next backend in order for this request; back home as soon as its own is usable.
        case detour
        /// Answered with 503 until its own is usable.
        case reject
    }

    /// Our own cookie, which a request without any session key is given; nil: such a request has no session.
    package var cookie: CookieSettings? {
        for case .cookie(let cookie) in sources { return cookie }
        return nil
    }
}

/// Where a request carries its session key.
package enum SessionKeySource: Equatable, Sendable {
    /// A field; its name as configured, compared without regard to case.
    case header(name: String)
    /// A parameter of the query.
    case query(name: String)
    /// A cookie that the application sets.
    case appCookie(name: String)
    /// The client's address, cut to so many bits. Never beside another source that comes after it.
    case clientIP(ipv4Prefix: Int, ipv6Prefix: Int)
    /// The cookie that Limpet sets.
    case cookie(CookieSettings)
}

/// The cookie that Limpet sets: `sticky.cookie`, with Traefik's defaults.
package struct CookieSettings: Equatable, Sendable {
    package enum SameSite: String, CaseIterable, Sendable {
        case none, lax, strict
    }

    /// A token. Unless set, what Traefik would call the cookie of this service in a file.
    package var name: String
    package var isSecure: Bool
    package var isHTTPOnly: Bool
    /// Nil: no such attribute.
    package var sameSite: SameSite?
    /// Zero: no such attribute, the cookie ends with the browser's session.
    package var maxAgeSeconds: Int
    package var path: String
    /// Nil: no such attribute.
    package var domain: String?
}
